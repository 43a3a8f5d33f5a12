import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, unwrap } from "../api/client";
import { Scroll } from "../design/components";
import { Empty } from "../design/telling";
import { dateTime } from "../i18n/format";
import { To } from "../shell/To";

/** Where that is to be seen which a deed was about; empty where it is nowhere. */
function placeOf(what: string): string {
  if (/^(recording|transcript)\./.test(what)) return "/supervise/recordings";
  if (what === "customer.erase") return "/customers/erasures";
  return /^customer\.(export|hold|release|change|share|unshare|erase\.held)$/.test(what) ? "/customers" : "";
}

/** Who heard, read, decided and erased what, and who signed in. */
export function Listenings(): ReactElement {
  const { t } = useTranslation();
  const log = useQuery({
    queryKey: ["audit"],
    queryFn: () => unwrap(api.GET("/api/v1/audit", { params: { query: { limit: 100 } } })),
  });
  const items = log.data?.items ?? [];
  return (
    <section className="stack">
      <h2>{t("supervise.log")}</h2>
      {log.isSuccess && items.length === 0 && <Empty>{t("desk.noTimeline")}</Empty>}
      <Scroll label={t("supervise.log")}>
        <table className="table">
          <thead>
            <tr>
              <th>{t("supervise.when")}</th>
              <th>{t("supervise.who")}</th>
              <th>{t("supervise.what")}</th>
              <th>{t("supervise.about")}</th>
              <th>{t("supervise.source")}</th>
            </tr>
          </thead>
          <tbody>
            {items.map((entry) => (
              <tr key={entry.id}>
                <td className="tabular">{dateTime(entry.at)}</td>
                <td className="strong">{entry.who}</td>
                <td>{t(`audit.${entry.what}`, { defaultValue: entry.what })}</td>
                <td>
                  {placeOf(entry.what) ? (
                    <To to={`${placeOf(entry.what)}/${entry.about}`}>{t("supervise.open")}</To>
                  ) : (
                    <span className="soft tiny">{entry.about}</span>
                  )}
                </td>
                <td className="soft tabular">{entry.source}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}
