import { useQueryClient } from "@tanstack/react-query";
import { type ReactElement, type ReactNode, useCallback, useEffect } from "react";
import { useTranslation } from "react-i18next";
import type { Session } from "../api/client";
import { Empty } from "../design/components";
import { CustomerPanel } from "../desk/CustomerPanel";
import { useLive } from "../live/hooks";
import { REFRESH } from "../live/live";
import { go, useLocation } from "../shell/path";
import { Shell } from "../shell/Shell";
import { Listenings } from "./Listenings";
import { LivePage } from "./LivePage";
import { Recordings } from "./Recordings";
import { Replay } from "./Replay";
import "../desk/desk.css";
import "./supervise.css";

const SHORTCUTS: [string, string][] = [
  ["Space", "keys.play"],
  ["j", "keys.back"],
  ["l", "keys.forward"],
  ["/", "keys.search"],
];

export function To({ to, current, children }: { to: string; current?: boolean; children: ReactNode }): ReactElement {
  return (
    <a
      href={to}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

export default function Supervise({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation();
  const path = useLocation().split("?")[0] ?? "";
  const client = useQueryClient();
  const [, , area = "", id = ""] = path.split("/");

  useEffect(() => {
    document.title = `${t("supervise.title")} · hotline`;
  }, [t]);
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

  if (session.role === "agent") {
    return (
      <Shell session={session} here="supervise" shortcuts={[]}>
        <h1 className="unseen">{t("supervise.title")}</h1>
        <Empty>{t("supervise.you")}</Empty>
      </Shell>
    );
  }
  const tabs = (
    <nav className="area-tabs" aria-label={t("supervise.title")}>
      <To to="/supervise" current={area === ""}>
        {t("supervise.live")}
      </To>
      <To to="/supervise/recordings" current={area === "recordings"}>
        {t("supervise.recordings")}
      </To>
      <To to="/supervise/log" current={area === "log"}>
        {t("supervise.log")}
      </To>
    </nav>
  );
  return (
    <Shell session={session} here="supervise" shortcuts={SHORTCUTS} bar={tabs}>
      <h1 className="unseen">{t("supervise.title")}</h1>
      <div className="supervise">
        {area === "" && <LivePage />}
        {area === "recordings" && (id ? <Replay key={id} id={id} /> : <Recordings />)}
        {area === "customers" && <CustomerPanel customer={id} />}
        {area === "log" && <Listenings />}
      </div>
    </Shell>
  );
}
