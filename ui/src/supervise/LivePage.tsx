import { useQuery } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, customerNumber, unwrap } from "../api/client";
import { Scroll, StateBadge, Timer } from "../design/components";
import { Empty, Notice } from "../design/telling";
import { byName, duration, phoneNumber } from "../i18n/format";
import { useQualities } from "../quality/hooks";
import { QualityMark } from "../quality/QualityMark";
import { To } from "../shell/To";
import { Opening } from "./Opening";

/** Who is ready, who talks, who waits: now. */
export function LivePage(): ReactElement {
  const { t } = useTranslation();
  const agents = useQuery({ queryKey: ["agents"], queryFn: () => unwrap(api.GET("/api/v1/agents")) });
  const queues = useQuery({
    queryKey: ["queues"],
    queryFn: () => unwrap(api.GET("/api/v1/queues")),
    refetchInterval: 5000,
  });
  const running = useQuery({
    queryKey: ["running"],
    queryFn: () => unwrap(api.GET("/api/v1/calls", { params: { query: { state: "running", limit: 100 } } })),
  });
  const alarms = useQuery({ queryKey: ["alarms"], queryFn: () => unwrap(api.GET("/api/v1/alarms")) });
  const qualities = useQualities();
  const reason = (key: string): string => (key ? t(`reason.${key}`, { defaultValue: key }) : "");
  const calls = running.data?.items ?? [];

  return (
    <>
      {(agents.isError || queues.isError || running.isError) && <Notice bad>{t("problem.away")}</Notice>}
      {(alarms.data ?? []).length > 0 && (
        <section className="stack" aria-label={t("supervise.alarms")}>
          {(alarms.data ?? []).map((alarm) => (
            <Notice bad key={alarm.kind}>
              {alarm.text}: {alarm.mend}
            </Notice>
          ))}
        </section>
      )}
      <section className="stack">
        <h2>{t("supervise.queues")}</h2>
        <Scroll label={t("supervise.queues")}>
          <table className="table">
            <thead>
              <tr>
                <th>{t("supervise.queue")}</th>
                <th className="number">{t("supervise.waiting")}</th>
                <th className="number">{t("supervise.longest")}</th>
                <th className="number">{t("supervise.readyCount")}</th>
                <th className="number">{t("supervise.staffed")}</th>
              </tr>
            </thead>
            <tbody>
              {(queues.data ?? []).map((queue) => (
                <tr key={queue.name}>
                  <td className="strong">{queue.title}</td>
                  <td className="number">{queue.waiting}</td>
                  <td className="number">{duration(queue.longest_wait_s)}</td>
                  <td className="number">{queue.ready}</td>
                  <td className="number">{queue.staffed}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </section>
      <Opening />
      <div className="live">
        <section className="stack">
          <h2>{t("supervise.agents")}</h2>
          {agents.data?.length === 0 && <Empty>{t("supervise.noAgents")}</Empty>}
          <Scroll label={t("supervise.agents")}>
            <table className="table">
              <thead>
                <tr>
                  <th>{t("supervise.name")}</th>
                  <th>{t("supervise.state")}</th>
                  <th className="number">{t("supervise.since")}</th>
                  <th>{t("supervise.reason")}</th>
                </tr>
              </thead>
              <tbody>
                {[...(agents.data ?? [])]
                  .sort((a, b) => byName(a.name, b.name))
                  .map((agent) => (
                    <tr key={agent.name}>
                      <td className="strong">{agent.name}</td>
                      <td>
                        <StateBadge state={agent.state} />
                      </td>
                      <td className="number">{agent.since && <Timer since={agent.since} />}</td>
                      <td className="soft">{reason(agent.reason)}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </Scroll>
        </section>
        <section className="stack">
          <h2>{t("supervise.calls")}</h2>
          {running.isSuccess && calls.length === 0 && <Empty>{t("supervise.noCalls")}</Empty>}
          {calls.length > 0 && (
            <Scroll label={t("supervise.calls")}>
              <table className="table">
                <thead>
                  <tr>
                    <th>{t("supervise.caller")}</th>
                    <th>{t("supervise.state")}</th>
                    <th className="number">{t("supervise.since")}</th>
                    <th>{t("supervise.queue")}</th>
                    <th>{t("supervise.agent")}</th>
                    <th>{t("phone.quality")}</th>
                  </tr>
                </thead>
                <tbody>
                  {calls.map((call) => {
                    const name = (call.context as unknown as CallerContext).name || phoneNumber(customerNumber(call));
                    return (
                      <tr key={call.id}>
                        <td className="strong one-line">
                          {call.customer ? (
                            <To to={`/customers/${call.customer}`}>{name || t("phone.noName")}</To>
                          ) : (
                            t("phone.withheld")
                          )}
                        </td>
                        <td>
                          <StateBadge state={call.state} />
                        </td>
                        <td className="number">
                          <Timer since={call.started_at} />
                        </td>
                        <td>{call.queue}</td>
                        <td>{call.agent}</td>
                        <td>
                          <QualityMark quality={qualities.get(call.id)} />
                        </td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
            </Scroll>
          )}
        </section>
      </div>
    </>
  );
}
