import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Case } from "../api/client";
import { Badge, Button } from "../design/components";
import { date, dateTime } from "../i18n/format";

const FEW = 5;

/** What a person asked us for: open first. */
export function Cases({ cases }: { cases: Case[] }): ReactElement | null {
  const { t } = useTranslation();
  const [all, setAll] = useState(false);
  if (cases.length === 0) return null;
  const shown = all ? cases : cases.filter((each, index) => each.state === "open" || index < FEW);
  return (
    <section className="stack" aria-label={t("customers.cases")}>
      <h3 className="label">{t("customers.cases")}</h3>
      <ul className="stack">
        {shown.map((each) => (
          <li key={each.id} className={each.state === "open" ? "case" : "case closed"}>
            <span className="row wrap">
              <span className="strong">{each.subject}</span>
              <Badge kind={each.state === "open" ? "ringing" : ""}>
                {t(`customers.case.${each.state}`, { defaultValue: each.state })}
              </Badge>
            </span>
            <span className="small soft">
              {t("desk.sinceChannel", {
                date: dateTime(each.opened_at),
                channel: t(`channel.${each.channel}`, { defaultValue: each.channel }),
              })}
              {each.closed_at && ` · ${t("customers.closedAt", { date: date(each.closed_at) })}`}
            </span>
          </li>
        ))}
      </ul>
      {shown.length < cases.length && <Button onPress={() => setAll(true)}>{t("desk.more")}</Button>}
    </section>
  );
}
