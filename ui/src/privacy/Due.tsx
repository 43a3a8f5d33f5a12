import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import type { PrivacyRequest } from "../api/client";
import { Badge } from "../design/components";
import { date } from "../i18n/format";
import { nextDeadline } from "./requests";

/** What is due next of a request, and how soon; in red once it is late. */
export function Due({ request }: { request: PrivacyRequest }): ReactElement {
  const { t } = useTranslation();
  const next = nextDeadline(request);
  if (!next) {
    return <Badge kind={request.outcome === "done" ? "ready" : ""}>{t(`outcome.${request.outcome}`)}</Badge>;
  }
  // An answer is due at the end of a day, which is the first moment of the next one.
  const lastDay = new Date(Date.parse(next.at) - 1).toISOString();
  const late = request.overdue || next.days < 0;
  return (
    <span className="row wrap">
      <Badge kind={late ? "wrong" : next.days < 2 ? "ringing" : ""}>
        {late ? t("privacy.late") : t("privacy.daysLeft", { number: next.days })}
      </Badge>
      <span className="small">{t(`privacy.due.${next.what}`, { date: date(lastDay) })}</span>
    </span>
  );
}
