import { type ReactElement, useCallback, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Desk as DeskState } from "../api/client";
import { Select, StateBadge, Timer } from "../design/components";
import { mayNotify } from "./ring";

/** The agent's own state, how long, and who waits: on every page of an agent. */
export function StateBar({
  desk,
  onState,
}: {
  desk: DeskState;
  onState: (state: "ready" | "not_ready", reason?: string) => void;
}): ReactElement {
  const { t } = useTranslation();
  const agent = desk.agent;
  const choose = useCallback(
    (id: string) => {
      mayNotify();
      if (id === "ready") onState("ready");
      else onState("not_ready", id);
    },
    [onState],
  );
  const chosen = useRef("");
  chosen.current = agent.reason || "ready";
  const options = [
    { id: "ready", text: t("desk.ready") },
    ...desk.reasons.map((reason) => ({ id: reason, text: t(`reason.${reason}`, { defaultValue: reason }) })),
  ];
  const waiting = desk.queues.filter((queue) => queue.waiting > 0);
  return (
    <div className="row wrap">
      <StateBadge state={agent.state} />
      <span className="small soft">
        {agent.until ? (
          <>
            {t("desk.until")} <Timer until={agent.until} />
          </>
        ) : (
          <Timer since={agent.since} />
        )}
      </span>
      <div style={{ width: 150 }}>
        <Select
          label={t("supervise.state")}
          hideLabel
          options={options}
          value={chosen.current}
          onChange={choose}
          placeholder={t(`reason.${agent.reason}`, { defaultValue: t("desk.notReady") })}
        />
      </div>
      <span className="small soft">
        {waiting.length === 0
          ? t("desk.waitingNone")
          : waiting.map((queue) => t("desk.waiting", { title: queue.title, count: queue.waiting })).join(" · ")}
      </span>
    </div>
  );
}
