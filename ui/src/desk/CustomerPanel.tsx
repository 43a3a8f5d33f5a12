import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, type Interaction, unwrap } from "../api/client";
import { Badge, Button, Empty } from "../design/components";
import { dateTime, day, duration, phoneNumber, time } from "../i18n/format";
import { Known } from "./Known";

interface Props {
  customer: string;
  /** What the call itself knows of the caller: shown at once, while the profile is fetched. */
  context?: CallerContext;
  call?: string;
}

const CHANNELS = ["", "call", "sip", "email", "zalo", "facebook", "form"];

/** The customer: who, how sure we are, open requests, and everything that happened, of every channel. */
export function CustomerPanel({ customer, context, call }: Props): ReactElement {
  const { t } = useTranslation();
  const profile = useQuery({
    queryKey: ["customer", customer],
    queryFn: () => unwrap(api.GET("/api/v1/customers/{customer_id}", { params: { path: { customer_id: customer } } })),
  });
  const name = profile.data?.name || context?.name || "";
  const cases = (profile.data?.cases ?? []).filter((each) => each.state === "open");
  const open = profile.data ? cases : (context?.open_cases ?? []);

  return (
    <section aria-label={t("desk.customer")} className="stack wide">
      <div className="stack">
        <h2 className="who">{name || t("phone.noName")}</h2>
        <p className="row wrap">
          {(profile.data?.identities ?? []).map((each) => (
            <Badge key={`${each.kind}:${each.value}`}>
              {each.kind === "phone" ? phoneNumber(each.value) : `${each.kind} ${each.value}`}
            </Badge>
          ))}
          {(profile.data?.tags ?? context?.tags ?? []).map((tag) => (
            <Badge key={tag} kind="held">
              {tag}
            </Badge>
          ))}
        </p>
        {context && <p className="small soft">{t(`desk.assurance.${context.assurance}`)}</p>}
        {context && !context.known && <p className="small">{t("desk.newCustomer")}</p>}
      </div>
      <Known customer={customer} context={context} profile={profile.data} />
      {open.length > 0 && (
        <div className="stack">
          <h3 className="label">{t(open.length === 1 ? "desk.case" : "desk.cases")}</h3>
          <ul className="stack">
            {open.map((each) => (
              <li key={each.id} className="case">
                <span className="strong">{each.subject}</span>{" "}
                <span className="small soft">
                  {t("desk.sinceChannel", {
                    date: dateTime(each.opened_at),
                    channel: t(`channel.${each.channel}`, { defaultValue: each.channel }),
                  })}
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
      <Timeline customer={customer} call={call} />
    </section>
  );
}

export function Timeline({ customer, call }: { customer: string; call?: string | undefined }): ReactElement {
  const { t } = useTranslation();
  const [channel, setChannel] = useState("");
  const pages = useInfiniteQuery({
    queryKey: ["timeline", customer, channel],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      unwrap(
        api.GET("/api/v1/customers/{customer_id}/timeline", {
          params: { path: { customer_id: customer }, query: { channel, cursor: pageParam, limit: 30 } },
        }),
      ),
    getNextPageParam: (page) => page.next,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  const days = Map.groupBy(items, (item) => day(item.occurred_at));

  return (
    <div className="stack">
      <div className="row apart wrap">
        <h3 className="label">{t("desk.timeline")}</h3>
        <fieldset className="chips" style={{ border: 0, padding: 0, margin: 0 }} aria-label={t("desk.timeline")}>
          {CHANNELS.map((each) => (
            <Button key={each} on={channel === each} onPress={() => setChannel(each)}>
              {t(`channel.${each || "all"}`)}
            </Button>
          ))}
        </fieldset>
      </div>
      {pages.isSuccess && items.length === 0 && <Empty>{t("desk.noTimeline")}</Empty>}
      <div className="timeline">
        {[...days].map(([name, entries]) => (
          <div key={name}>
            <h3>{name}</h3>
            <ul>
              {entries.map((item) => (
                <Entry key={item.id} item={item} now={item.call?.id === call} />
              ))}
            </ul>
          </div>
        ))}
      </div>
      {pages.hasNextPage && <Button onPress={() => void pages.fetchNextPage()}>{t("desk.more")}</Button>}
    </div>
  );
}

function Entry({ item, now }: { item: Interaction; now: boolean }): ReactElement {
  const { t } = useTranslation();
  const call = item.call;
  return (
    <li className="entry">
      <span className="tabular soft small">{time(item.occurred_at)}</span>
      <span className="channel">{t(`channel.${item.channel}`, { defaultValue: item.channel })}</span>
      <div>
        {call ? (
          <>
            <p>
              {item.direction === "outbound" ? t("desk.weCalled") : call.flow_path.join(" › ")}{" "}
              {now && <Badge kind="talking">{t("desk.now")}</Badge>}
            </p>
            <p className="small soft">
              {[
                call.queue && call.queue_wait_s !== null && `${call.queue} ${duration(call.queue_wait_s)}`,
                call.agent && `${call.agent}${call.talk_s === null ? "" : ` ${duration(call.talk_s)}`}`,
                call.disposition && t(`disposition.${call.disposition}`, { defaultValue: call.disposition }),
              ]
                .filter(Boolean)
                .join(" · ")}
            </p>
            {call.recording && window.location.pathname.startsWith("/supervise") && (
              <a className="small" href={call.recording.replace("/api/v1/", "/supervise/")}>
                {t("supervise.open")}
              </a>
            )}
            {call.note && <p className="small">{call.note}</p>}
            {item.text && <p className="small soft">{item.text}</p>}
          </>
        ) : (
          <>
            {item.subject && <p className="strong">{item.subject}</p>}
            {item.text && <p>{item.text}</p>}
          </>
        )}
      </div>
    </li>
  );
}
