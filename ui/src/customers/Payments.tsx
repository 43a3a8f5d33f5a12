import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { Badge } from "../design/components";
import { amount, date } from "../i18n/format";

const BADGES: Record<string, string> = { paid: "ready", failed: "wrong", refunded: "held" };

/** What a person paid, newest word first. */
export function Payments({ payments }: { payments: Customer["payments"] }): ReactElement | null {
  const { t } = useTranslation();
  if (payments.length === 0) return null;
  return (
    <section className="stack" aria-label={t("customers.payments")}>
      <h3 className="label">{t("customers.payments")}</h3>
      <ul className="stack">
        {payments.slice(0, 10).map((each) => (
          <li key={each.id} className="row wrap">
            {each.amount && each.currency && (
              <span className="strong tabular">{amount(each.amount, each.currency)}</span>
            )}
            {each.state && (
              <Badge kind={BADGES[each.state]}>{t(`payment.${each.state}`, { defaultValue: each.state })}</Badge>
            )}
            <span className="small soft">
              {[each.method, each.order && t("customers.ofOrder", { number: each.order }), date(each.at)]
                .filter(Boolean)
                .join(" · ")}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
