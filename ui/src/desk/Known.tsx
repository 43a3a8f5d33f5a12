import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, type Customer, unwrap } from "../api/client";
import { Badge } from "../design/components";
import { amount, birthday, date } from "../i18n/format";

interface Props {
  customer: string;
  /** What the call itself knows of the caller: shown at once, while the rest is fetched. */
  context?: CallerContext | undefined;
  profile?: Customer | undefined;
}

/** What whoever talks with a customer should know first: why they call, what to offer, their orders and wishes. */
export function Known({ customer, context, profile }: Props): ReactElement {
  const { t, i18n } = useTranslation();
  const asked = useQuery({
    queryKey: ["context", customer],
    queryFn: () =>
      unwrap(api.GET("/api/v1/customers/{customer_id}/context", { params: { path: { customer_id: customer } } })),
  });
  const reason = asked.data ? asked.data.reason : context?.reason;
  const offer = asked.data ? asked.data.offer : context?.offer;
  const agent = asked.data ? asked.data.last_agent : context?.last_agent;
  const orders = profile?.orders ?? context?.orders ?? [];
  const needs = (profile?.needs ?? context?.needs ?? []).filter((each) => each.state === "open");
  const survey = profile ? profile.survey : context?.survey;
  const prefers = profile ? profile.preferred_channel : context?.preferred_channel;
  const born = profile ? profile.birthday : context?.birthday;

  return (
    <div className="stack">
      {reason && (
        <p>
          <span className="label">{t("desk.why")}</span>{" "}
          <span className="strong">{t(`desk.why.${reason.kind}`, { subject: reason.subject }).replace(/: $/, "")}</span>{" "}
          <span className="small soft">{date(reason.at)}</span>
        </p>
      )}
      {offer && (
        <p>
          <span className="label">{t("desk.offer")}</span> {offer.text[i18n.language] ?? Object.values(offer.text)[0]}
        </p>
      )}
      <p className="row wrap small">
        {agent && (
          <span>
            {t("desk.lastAgent")} <span className="strong">{agent}</span>
          </span>
        )}
        {prefers && (
          <span>
            {t("desk.prefers")} <span className="strong">{t(`channel.${prefers}`, { defaultValue: prefers })}</span>
          </span>
        )}
        {born && (
          <span>
            {t("desk.birthday")} <span className="strong">{birthday(born)}</span>
          </span>
        )}
        {survey && (
          <span>
            {t("desk.lastSurvey")} <span className="strong">{t("desk.score", survey)}</span>
          </span>
        )}
      </p>
      {orders.length > 0 && (
        <div className="stack">
          <h3 className="label">{t("desk.orders")}</h3>
          <ul className="stack">
            {orders.slice(0, 5).map((each) => (
              <li key={each.number} className="row wrap">
                <span className="strong tabular">{each.number}</span>
                {each.state && <Badge>{t(`desk.order.${each.state}`, { defaultValue: each.state })}</Badge>}
                {each.amount && each.currency && <span className="tabular">{amount(each.amount, each.currency)}</span>}
                {each.items ? <span className="small soft">{t("desk.items", { number: each.items })}</span> : null}
                <span className="small soft">{date(each.placed_at)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {needs.length > 0 && (
        <div className="stack">
          <h3 className="label">{t("desk.needs")}</h3>
          <ul className="stack">
            {needs.slice(0, 5).map((each) => (
              <li key={each.what}>
                {each.what} <span className="small soft">{date(each.since)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
