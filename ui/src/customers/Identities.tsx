import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer, Identity } from "../api/client";
import { Badge } from "../design/components";
import { date, phoneNumber } from "../i18n/format";

const MARKS = ["ringing", "", "ready", "ready"];

/** By what a person is known, whence that is known, and how far to trust it. */
export function Identities({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  return (
    <section className="stack" aria-label={t("customers.identities")}>
      <h3 className="label">{t("customers.identities")}</h3>
      <ul className="marks">
        {customer.identities.map((each) => (
          <Known key={`${each.kind} ${each.value}`} identity={each} />
        ))}
        {customer.uses.map((each) => (
          <li key={`${each.kind} ${each.value}`}>
            <span className="row wrap">
              <span className="strong tabular">{each.kind === "phone" ? phoneNumber(each.value) : each.value}</span>
              <Badge kind="ringing">{t("customers.ofAnother")}</Badge>
            </span>
            <span className="small soft">{t("customers.usesToo", { evidence: each.evidence })}</span>
          </li>
        ))}
      </ul>
      {customer.identities.length === 0 && <p className="small soft">{t("customers.noIdentity")}</p>}
    </section>
  );
}

function Known({ identity }: { identity: Identity }): ReactElement {
  const { t } = useTranslation();
  const source = t(`channel.${identity.source}`, { defaultValue: identity.source });
  return (
    <li>
      <span className="row wrap">
        <span className="strong tabular">
          {identity.kind === "phone" ? phoneNumber(identity.value) : identity.value}
        </span>
        <Badge kind={MARKS[identity.assurance]}>{t(`assurance.${identity.assurance}`)}</Badge>
        {identity.shared && <Badge kind="ringing">{t("customers.shared")}</Badge>}
      </span>
      <span className="small soft">
        {[
          t(`identity.${identity.kind}`, { defaultValue: identity.kind }),
          t("customers.heardBy", { source, date: date(identity.created_at) }),
          identity.confidence < 1 && t("customers.confidence", { percent: Math.round(identity.confidence * 100) }),
        ]
          .filter(Boolean)
          .join(" · ")}
      </span>
    </li>
  );
}
