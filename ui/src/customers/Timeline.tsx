import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type Case, unwrap } from "../api/client";
import { Button, Field } from "../design/components";
import { Empty, Loading, Trouble } from "../design/telling";
import { day, instant } from "../i18n/format";
import { Entry } from "./Entry";
import "./customers.css";

export interface Filter {
  channel: string;
  /** Days of the local calendar, both included; empty for no bound. */
  from: string;
  to: string;
}

export const EVERYTHING: Filter = { channel: "", from: "", to: "" };

interface Props {
  customer: string;
  /** The call that is going on. */
  call?: string | undefined;
  cases: Case[];
  filter: Filter;
  onFilter: (filter: Filter) => void;
  /** Whether it can be narrowed by date, too. */
  dates?: boolean;
}

/** Everything that happened with a person, on every channel, newest first. */
export function Timeline({ customer, call, cases, filter, onFilter, dates }: Props): ReactElement {
  const { t } = useTranslation();
  const { channel, from, to } = filter;
  const pages = useInfiniteQuery({
    queryKey: ["timeline", customer, channel, from, to],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      unwrap(
        api.GET("/api/v1/customers/{customer_id}/timeline", {
          params: {
            path: { customer_id: customer },
            query: { channel, from: instant(from), to: instant(to, 1), cursor: pageParam, limit: 30 },
          },
        }),
      ),
    getNextPageParam: (page) => page.next,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const days = Map.groupBy(items, (item) => day(item.occurred_at));
  const subjects = new Map(cases.map((each) => [each.id, each.subject]));
  const isNarrowed = channel !== "" || from !== "" || to !== "";

  return (
    <section className="stack" aria-label={t("desk.timeline")}>
      <div className="row apart wrap">
        <h3 className="label">{t("desk.timeline")}</h3>
        <Channels customer={customer} channel={channel} onChoose={(each) => onFilter({ ...filter, channel: each })} />
      </div>
      {dates && (
        <div className="row wrap dates">
          <Field
            label={t("supervise.from")}
            type="date"
            value={from}
            onChange={(value) => onFilter({ ...filter, from: value })}
          />
          <Field
            label={t("supervise.to")}
            type="date"
            value={to}
            onChange={(value) => onFilter({ ...filter, to: value })}
          />
          {isNarrowed && <Button onPress={() => onFilter(EVERYTHING)}>{t("supervise.clear")}</Button>}
        </div>
      )}
      {pages.isPending && <Loading />}
      {pages.isError && <Trouble error={pages.error} again={() => void pages.refetch()} />}
      {pages.isSuccess && items.length === 0 && (
        <Empty>{t(isNarrowed ? "customers.nothingFits" : "desk.noTimeline")}</Empty>
      )}
      <div className="timeline">
        {[...days].map(([name, entries]) => (
          <div key={name}>
            <h4>{name}</h4>
            <ul>
              {entries.map((item) => (
                <Entry
                  key={item.id}
                  item={item}
                  now={item.call !== null && item.call.id === call}
                  about={item.case ? subjects.get(item.case) : undefined}
                />
              ))}
            </ul>
          </div>
        ))}
      </div>
      {pages.hasNextPage && (
        <Button isDisabled={pages.isFetchingNextPage} onPress={() => void pages.fetchNextPage()}>
          {t("desk.more")}
        </Button>
      )}
    </section>
  );
}

const USUAL = ["call", "email", "zalo", "facebook", "form"];

/** The channels by which the person was in touch last, and the usual ones. */
function Channels(props: { customer: string; channel: string; onChoose: (channel: string) => void }): ReactElement {
  const { t } = useTranslation();
  const context = useQuery({
    queryKey: ["context", props.customer],
    queryFn: () =>
      unwrap(api.GET("/api/v1/customers/{customer_id}/context", { params: { path: { customer_id: props.customer } } })),
  });
  const used = (context.data?.last_by_channel ?? []).map((each) => each.channel);
  const shown = new Set(["", ...USUAL, ...used, props.channel]);
  return (
    <fieldset className="chips" aria-label={t("desk.timeline")}>
      {[...shown].map((each) => (
        <Button key={each} on={props.channel === each} onPress={() => props.onChoose(each)}>
          {t(`channel.${each || "all"}`, { defaultValue: each })}
        </Button>
      ))}
    </fieldset>
  );
}
