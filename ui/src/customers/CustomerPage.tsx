import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, Problem, unwrap } from "../api/client";
import { Badge, Empty, Loading, Trouble } from "../design/components";
import { Known } from "../desk/Known";
import { date } from "../i18n/format";
import { go, useLocation } from "../shell/path";
import { To } from "../shell/To";
import { Cases } from "./Cases";
import { Consents } from "./Consents";
import { Identities } from "./Identities";
import { Payments } from "./Payments";
import { EVERYTHING, type Filter, Timeline } from "./Timeline";

/** A person, whole, by the id of any of their profiles. */
export function useCustomer(id: string) {
  return useQuery({
    queryKey: ["customer", id],
    queryFn: () => unwrap(api.GET("/api/v1/customers/{customer_id}", { params: { path: { customer_id: id } } })),
    retry: (count, error) => count < 2 && !(error instanceof Problem && error.status === 404),
  });
}

/** Everything that is known of one person, and everything that happened. */
export function CustomerPage({ id }: { id: string }): ReactElement {
  const { t } = useTranslation();
  const found = useCustomer(id);
  const customer = found.data;
  const title = customer ? customer.name || t("customers.noName") : t("nav.customers");

  useEffect(() => {
    document.title = `${title} · hotline`;
  }, [title]);
  useEffect(() => {
    // Of several profiles the oldest gives its name to the address.
    if (customer && customer.id !== id) go(window.location.pathname.replace(id, customer.id), true);
  }, [customer, id]);

  if (found.error instanceof Problem && found.error.status === 404) {
    return (
      <Empty>
        {t("customers.gone")} <To to="/customers">{t("customers.findOne")}</To>
      </Empty>
    );
  }
  return (
    <>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {customer && <Whole customer={customer} />}
    </>
  );
}

function Whole({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter();
  return (
    <article className="stack wide" aria-label={customer.name || t("customers.noName")}>
      <Head customer={customer} />
      <div className="person">
        <div className="stack wide">
          <Identities customer={customer} />
          <Known customer={customer.id} profile={customer} />
          <Payments payments={customer.payments} />
          <Cases cases={customer.cases} />
          <Consents customer={customer} />
        </div>
        <Timeline customer={customer.id} cases={customer.cases} filter={filter} onFilter={setFilter} dates />
      </div>
    </article>
  );
}

/** The filter of the timeline stands in the address. */
function useFilter(): [Filter, (filter: Filter) => void] {
  const [path, search = ""] = useLocation().split("?");
  const query = new URLSearchParams(search);
  const names = Object.keys(EVERYTHING) as (keyof Filter)[];
  const filter = Object.fromEntries(names.map((name) => [name, query.get(name) ?? ""])) as unknown as Filter;
  const set = (chosen: Filter): void => {
    const given = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();
    go(`${path}${given ? `?${given}` : ""}`, true);
  };
  return [filter, set];
}

function Head({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  return (
    <header className="stack">
      <p className="small">
        <To to="/customers">← {t("customers.all")}</To>
      </p>
      <div className="row wrap">
        <h2 className="who">{customer.name || t("customers.noName")}</h2>
        {customer.holds.length > 0 && <Badge kind="wrong">{t("privacy.held")}</Badge>}
        {customer.tags.map((tag) => (
          <Badge key={tag} kind="held">
            {tag}
          </Badge>
        ))}
        <span className="small soft">
          {[
            customer.language &&
              t("customers.speaks", { language: languageName(customer.language, t("customers.locale")) }),
            t("customers.since", { date: date(customer.created_at) }),
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </div>
    </header>
  );
}

function languageName(code: string, locale: string): string {
  try {
    return new Intl.DisplayNames(locale, { type: "language" }).of(code) ?? code;
  } catch {
    return code; // not one that browsers know
  }
}
