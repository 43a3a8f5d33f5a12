import { useInfiniteQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Recording, unwrap } from "../api/client";
import { Badge, Button, Field, Scroll } from "../design/components";
import { Empty, Notice } from "../design/telling";
import { dateTime, duration, instant, phoneNumber } from "../i18n/format";
import { useKeys } from "../keys/keys";
import { go, useLocation } from "../shell/path";
import { To } from "../shell/To";

const FIELDS = ["q", "person", "number", "agent", "from", "to"] as const;
type Filters = Record<(typeof FIELDS)[number], string>;

function filtersIn(location: string): Filters {
  const query = new URLSearchParams(location.split("?")[1] ?? "");
  return Object.fromEntries(FIELDS.map((name) => [name, query.get(name) ?? ""])) as Filters;
}

/** Recordings, found by person, number, agent, date and words said. The search is the address, so it can be shared. */
export function Recordings(): ReactElement {
  const { t } = useTranslation();
  const wanted = filtersIn(useLocation());
  const [typed, setTyped] = useState(wanted);
  const isFiltered = FIELDS.some((name) => wanted[name]);
  const pages = useInfiniteQuery({
    queryKey: ["recordings", wanted],
    initialPageParam: "",
    queryFn: ({ pageParam }) => {
      const { from, to, ...words } = wanted;
      const query = { ...words, from: instant(from), to: instant(to, 1), cursor: pageParam, limit: 30 };
      return unwrap(api.GET("/api/v1/recordings", { params: { query } }));
    },
    getNextPageParam: (page) => page.next,
  });
  const items = pages.data?.pages.flatMap((page) => page.items) ?? [];
  useKeys({ "/": () => document.querySelector<HTMLInputElement>("input[name=q]")?.focus() });

  const show = (filters: Filters): void => {
    const given = Object.entries(filters).filter(([, value]) => value.trim());
    go(`/supervise/recordings${given.length ? `?${new URLSearchParams(given)}` : ""}`);
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    show(typed);
  };
  const field = (name: keyof Filters, label: string, type = "text"): ReactElement => (
    <Field
      name={name}
      label={label}
      type={type}
      value={typed[name]}
      onChange={(value) => setTyped({ ...typed, [name]: value })}
    />
  );

  return (
    <section className="stack wide">
      <h2>{t("supervise.recordings")}</h2>
      <search>
        <form className="filters" onSubmit={submit}>
          {field("q", t("supervise.words"))}
          {field("person", t("supervise.person"))}
          {field("number", t("supervise.number"))}
          {field("agent", t("supervise.agent"))}
          {field("from", t("supervise.from"), "date")}
          {field("to", t("supervise.to"), "date")}
          <div className="row">
            <Button type="submit" look="primary">
              {t("supervise.search")}
            </Button>
            {isFiltered && (
              <Button
                onPress={() => {
                  const none = filtersIn("");
                  setTyped(none);
                  show(none);
                }}
              >
                {t("supervise.clear")}
              </Button>
            )}
          </div>
        </form>
      </search>
      {pages.isError && <Notice bad>{t("problem.away")}</Notice>}
      {pages.isSuccess && items.length === 0 && (
        <Empty>{t(isFiltered ? "supervise.noRecordings" : "supervise.noneYet")}</Empty>
      )}
      {items.length > 0 && (
        <Scroll label={t("supervise.recordings")}>
          <table className="table">
            <thead>
              <tr>
                <th>{t("supervise.when")}</th>
                <th>{t("supervise.person")}</th>
                <th>{t("supervise.number")}</th>
                <th>{t("supervise.agent")}</th>
                <th className="number">{t("supervise.length")}</th>
                <th>{t("supervise.transcript")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map((item) => (
                <Row key={item.id} item={item} />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
      {pages.hasNextPage && <Button onPress={() => void pages.fetchNextPage()}>{t("supervise.more")}</Button>}
    </section>
  );
}

function Row({ item }: { item: Recording }): ReactElement {
  const { t } = useTranslation();
  const excerpt = item.excerpt ?? [];
  return (
    <tr>
      <td className="tabular one-line">
        <To to={`/supervise/recordings/${item.id}`}>{dateTime(item.started_at)}</To>
      </td>
      <td className="strong one-line">
        {item.customer ? <To to={`/customers/${item.customer}`}>{item.person || t("phone.noName")}</To> : item.person}
      </td>
      <td className="tabular one-line">{phoneNumber(item.ani)}</td>
      <td>{item.agent}</td>
      <td className="number">{duration(item.seconds)}</td>
      <td className="said-there">
        {excerpt.length > 0 ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: pieces of one text have no other name
          excerpt.map((piece, index) => (piece.hit ? <mark key={index}>{piece.text}</mark> : piece.text))
        ) : (
          <Badge kind={item.transcript_state === "done" ? "ready" : ""}>
            {t(`supervise.transcriptState.${item.transcript_state}`, { cause: item.transcript_cause })}
          </Badge>
        )}
      </td>
    </tr>
  );
}
