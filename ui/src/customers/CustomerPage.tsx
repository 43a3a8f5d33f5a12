import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { Badge } from "../design/components";
import { Known } from "../desk/Known";
import { date, languageName } from "../i18n/format";
import { Consents } from "../privacy/Consents";
import { Holds } from "../privacy/Holds";
import { Privacy } from "../privacy/Privacy";
import { go, useLocation } from "../shell/path";
import { useDecides } from "../shell/session";
import { To } from "../shell/To";
import { Cases } from "./Cases";
import { Identities } from "./Identities";
import { MaybeSame } from "./MaybeSame";
import { Payments } from "./Payments";
import { EVERYTHING, type Filter, Timeline } from "./Timeline";

/** Everything that is known of one person, and everything that happened. */
export function CustomerPage({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const [filter, setFilter] = useFilter();
  const decides = useDecides();
  return (
    <article className="stack wide" aria-label={customer.name || t("customers.noName")}>
      <Head customer={customer} />
      <Holds customer={customer} />
      <div className="person">
        <div className="stack wide">
          <Identities customer={customer} />
          <Known customer={customer.id} profile={customer} />
          <Payments payments={customer.payments} />
          <Cases cases={customer.cases} />
          <Consents customer={customer} />
          {decides && <Privacy customer={customer} />}
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
            customer.language && t("customers.speaks", { language: languageName(customer.language) }),
            t("customers.since", { date: date(customer.created_at) }),
          ]
            .filter(Boolean)
            .join(" · ")}
        </span>
        {useDecides() && <MaybeSame customer={customer} />}
      </div>
    </header>
  );
}
