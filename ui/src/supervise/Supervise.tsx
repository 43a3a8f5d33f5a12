import { useQueryClient } from "@tanstack/react-query";
import { lazy, type ReactElement, Suspense, useCallback, useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Session } from "../api/client";
import { useLive } from "../live/hooks";
import { REFRESH } from "../live/live";
import { Requests } from "../privacy/Requests";
import { go, useLocation } from "../shell/path";
import { Shell } from "../shell/Shell";
import { To } from "../shell/To";
import { Listenings } from "./Listenings";
import { LivePage } from "./LivePage";
import { Recordings } from "./Recordings";
import { Replay } from "./Replay";
import "../desk/desk.css";
import "./supervise.css";

const SHORTCUTS: Record<"supervise" | "customers" | "tasks", [string, string][]> = {
  supervise: [
    ["Space", "keys.play"],
    ["j", "keys.back"],
    ["l", "keys.forward"],
    ["/", "keys.search"],
  ],
  customers: [["/", "keys.search"]],
  tasks: [],
};

const Tasks = lazy(() => import("../tasks/Tasks"));
const Customers = lazy(() => import("../customers/Customers"));

export default function Supervise({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation();
  const path = useLocation().split("?")[0] ?? "";
  const client = useQueryClient();
  const [, root = "", area = "", id = ""] = path.split("/");

  useEffect(() => {
    if (root === "supervise") document.title = `${t("supervise.title")} · hotline`;
  }, [t, root]);
  useEffect(() => {
    if (root === "supervise" && area === "customers") go(`/customers/${id}`, true); // where customers were before
  }, [root, area, id]);
  useLive(
    useCallback(
      (event) => {
        if (event.type === "call.quality") return; // the lists stay as they are (ui/src/quality)
        if (event.type === REFRESH) void client.invalidateQueries();
        if (event.type.startsWith("call.") || event.type.startsWith("agent.")) {
          for (const key of ["agents", "queues", "running"]) void client.invalidateQueries({ queryKey: [key] });
        }
        if (event.type.startsWith("hours.")) void client.invalidateQueries({ queryKey: ["hours"] });
        if (event.type.startsWith("alarm.")) void client.invalidateQueries({ queryKey: ["alarms"] });
        if (event.type.startsWith("recording.")) {
          for (const key of ["recordings", "recording", "transcript"])
            void client.invalidateQueries({ queryKey: [key] });
        }
      },
      [client],
    ),
  );

  const tabs = (
    <nav className="area-tabs" aria-label={t("supervise.title")}>
      <To to="/supervise" current={area === ""}>
        {t("supervise.live")}
      </To>
      <To to="/supervise/recordings" current={area === "recordings"}>
        {t("supervise.recordings")}
      </To>
      <To to="/supervise/requests" current={area === "requests"}>
        {t("supervise.requests")}
      </To>
      <To to="/supervise/log" current={area === "log"}>
        {t("supervise.log")}
      </To>
    </nav>
  );
  const here = root === "customers" || root === "tasks" ? root : "supervise";
  return (
    <Shell session={session} here={here} shortcuts={SHORTCUTS[here]} bar={here === "supervise" && tabs}>
      <h1 className="unseen">{t(`nav.${here}`)}</h1>
      <div className="supervise">
        {here !== "supervise" ? (
          <Suspense fallback={null}>{here === "customers" ? <Customers /> : <Tasks />}</Suspense>
        ) : (
          <>
            {area === "" && <LivePage />}
            {area === "recordings" && (id ? <Replay key={id} id={id} /> : <Recordings />)}
            {area === "requests" && <Requests />}
            {area === "log" && <Listenings />}
          </>
        )}
      </div>
    </Shell>
  );
}
