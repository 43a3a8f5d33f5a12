import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { Badge } from "../design/components";
import { dateTime } from "../i18n/format";

const BADGES = { given: "ready", refused: "wrong", withdrawn: "wrong" };

/** The last word on each purpose. */
export function Consents({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  return (
    <section className="stack" aria-label={t("privacy.consents")}>
      <h3 className="label">{t("privacy.consents")}</h3>
      {customer.consents.length === 0 && <p className="small soft">{t("privacy.noConsents")}</p>}
      <ul className="marks">
        {customer.consents.map((each) => (
          <li key={each.id}>
            <span className="row wrap">
              <span className="strong">{t(`purpose.${each.purpose}`, { defaultValue: each.purpose })}</span>
              <Badge kind={BADGES[each.state]}>{t(`consent.${each.state}`)}</Badge>
            </span>
            <span className="small soft">
              {dateTime(each.at)} · {t(`channel.${each.channel}`, { defaultValue: each.channel })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
