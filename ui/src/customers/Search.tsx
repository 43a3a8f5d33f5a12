import { useInfiniteQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Badge, Button, Field } from "../design/components";
import { Empty, Loading, Trouble } from "../design/telling";
import { date } from "../i18n/format";
import { useKeys } from "../keys/keys";
import { go, useLocation } from "../shell/path";
import { To } from "../shell/To";
import { identityText } from "./identity";

const PAUSE_MS = 250;

/** People, found by a number, an address, an account or a name. The search is the address, so it can be shared. */
export function Search(): ReactElement {
  const { t } = useTranslation();
  const wanted = new URLSearchParams(useLocation().split("?")[1] ?? "").get("q") ?? "";
  const [typed, setTyped] = useState(wanted);
  const [entered, setEntered] = useState("");
  const found = useInfiniteQuery({
    queryKey: ["customers", wanted],
    initialPageParam: "",
    queryFn: ({ pageParam }) =>
      unwrap(api.GET("/api/v1/customers", { params: { query: { any: wanted, cursor: pageParam, limit: 30 } } })),
    getNextPageParam: (page) => page.next,
    placeholderData: (before) => before,
  });
  const people = found.data?.pages.flatMap((page) => page.items) ?? [];
  useKeys({ "/": () => document.querySelector<HTMLInputElement>("input[name=any]")?.focus() });

  useEffect(() => {
    document.title = `${t("nav.customers")} · hotline`;
  }, [t]);
  useEffect(() => {
    if (typed.trim() === wanted) return;
    const timer = setTimeout(() => show(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed, wanted]);

  // Enter opens the only one who fits, as soon as it is known who that is.
  const only = found.isSuccess && !found.isPlaceholderData && people.length === 1 ? people[0]?.id : undefined;
  useEffect(() => {
    if (only && entered !== "" && entered === wanted) go(`/customers/${only}`);
  }, [only, entered, wanted]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setEntered(typed.trim());
    show(typed);
  };

  return (
    <section className="stack wide" aria-label={t("nav.customers")}>
      <search>
        <form onSubmit={submit}>
          <Field
            name="any"
            label={t("customers.find")}
            hint={t("customers.findHint")}
            value={typed}
            onChange={(text) => {
              setTyped(text);
              setEntered("");
            }}
            autoFocus
          />
        </form>
      </search>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && people.length === 0 && (
        <Empty>{wanted ? t("customers.nobody", { text: wanted }) : t("customers.none")}</Empty>
      )}
      {people.length > 0 && (
        <ul className="people" aria-label={t("nav.customers")} aria-busy={found.isFetching}>
          {people.map((each) => (
            <Found key={each.id} customer={each} />
          ))}
        </ul>
      )}
      {found.hasNextPage && (
        <Button isDisabled={found.isFetchingNextPage} onPress={() => void found.fetchNextPage()}>
          {t("desk.more")}
        </Button>
      )}
    </section>
  );
}

const show = (text: string): void =>
  go(`/customers${text.trim() ? `?${new URLSearchParams({ q: text.trim() })}` : ""}`, true);

function Found({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const open = customer.cases.filter((each) => each.state === "open").length;
  return (
    <li>
      <span className="row wrap">
        <To className="strong" to={`/customers/${customer.id}`}>
          {customer.name || t("customers.noName")}
        </To>
        {customer.holds.length > 0 && <Badge kind="wrong">{t("privacy.held")}</Badge>}
        {open > 0 && <Badge kind="ringing">{t("customers.openCases", { count: open })}</Badge>}
        {customer.tags.map((tag) => (
          <Badge key={tag} kind="held">
            {tag}
          </Badge>
        ))}
      </span>
      <span className="small soft">
        {customer.identities.map((each) => identityText(each, t)).join(" · ") || t("customers.noIdentity")}
      </span>
      <span className="small soft tabular last">{date(customer.updated_at)}</span>
    </li>
  );
}
