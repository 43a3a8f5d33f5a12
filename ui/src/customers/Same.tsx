import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer, Suggestion } from "../api/client";
import { Badge } from "../design/components";
import { Loading, Trouble } from "../design/telling";
import { useLocation } from "../shell/path";
import { To } from "../shell/To";
import { Compared } from "./Compared";
import { Links } from "./Links";
import { useSuggestions } from "./MaybeSame";
import { Profiles } from "./Profiles";
import { Shared } from "./Shared";
import { SomebodyElse } from "./SomebodyElse";

/** Whether somebody is one person or two: who might be the same, side by side, and what was decided before. */
export function Same({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const query = new URLSearchParams(useLocation().split("?")[1] ?? "");
  const other = query.get("with") ?? "";
  const found = useSuggestions(customer.id);
  const items = found.data?.items ?? [];
  const name = customer.name || t("customers.noName");
  return (
    <article className="stack wide" aria-label={t("same.title")}>
      <header>
        <p className="small">
          <To to={`/customers/${customer.id}`}>← {name}</To>
        </p>
        <h2 className="who">{t("same.title")}</h2>
      </header>
      <div className="person">
        <div className="stack wide">
          <section className="stack" aria-label={t("same.maybe")}>
            <h3 className="label">{t("same.maybe")}</h3>
            {found.isPending && <Loading />}
            {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
            {found.isSuccess && items.length === 0 && <p className="small soft">{t("same.nobody")}</p>}
            <ul className="marks">
              {items.map((each) => (
                <Maybe key={each.customer} customer={customer} suggestion={each} current={each.customer === other} />
              ))}
            </ul>
          </section>
          <SomebodyElse customer={customer} />
          <Shared customer={customer} seems={found.data?.shared ?? []} />
        </div>
        <div className="stack wide">
          {other && (
            <Compared
              key={other}
              customer={customer}
              other={other}
              suggestion={items.find((each) => each.customer === other)}
            />
          )}
          <Profiles customer={customer} />
          <Links customer={customer} done={query.get("done") ?? ""} />
        </div>
      </div>
    </article>
  );
}

function Maybe(props: { customer: Customer; suggestion: Suggestion; current: boolean }): ReactElement {
  const { t } = useTranslation();
  const { suggestion } = props;
  return (
    <li>
      <span className="row wrap">
        <To
          className="strong"
          to={`/customers/${props.customer.id}/same?with=${suggestion.customer}`}
          current={props.current}
        >
          {suggestion.name || t("customers.noName")}
        </To>
        {suggestion.apart && <Badge>{t("same.heldApart")}</Badge>}
        {suggestion.parted && <Badge kind="ringing">{t("same.parted")}</Badge>}
      </span>
      <span className="small soft">{groundsOf(suggestion, t)}</span>
    </li>
  );
}

/** Why two might be the same, in words. */
export function groundsOf(suggestion: Suggestion, t: (key: string, values?: Record<string, string>) => string): string {
  return [
    ...suggestion.grounds.filter((each) => each !== "contradicting_claim").map((each) => t(`ground.${each}`)),
    ...suggestion.claims.map((each) => t("ground.claim", { value: each.value })),
  ].join("; ");
}
