import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { Notice } from "../design/telling";
import { date } from "../i18n/format";

/** That a law keeps a person's data: seen by everybody who looks at the person. */
export function Holds({ customer }: { customer: Customer }): ReactElement | null {
  const { t } = useTranslation();
  if (customer.holds.length === 0) return null;
  return (
    <Notice held>
      <span className="strong">{t("privacy.heldText")}</span>
      <ul>
        {customer.holds.map((each) => (
          <li key={each.id}>
            {each.reason}{" "}
            <span className="small">
              ({t("privacy.heldSince", { date: date(each.placed_at), who: each.by || "?" })}
              {each.until && `, ${t("privacy.heldUntil", { date: date(each.until) })}`})
            </span>
          </li>
        ))}
      </ul>
    </Notice>
  );
}
