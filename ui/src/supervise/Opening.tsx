import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Hours, Problem, unwrap } from "../api/client";
import { Badge, Button, Dialog, Scroll } from "../design/components";
import { Notice } from "../design/telling";
import { dateTime } from "../i18n/format";

const EVERY_MS = 60_000;

/** When somebody is there, and the switch for the day on which nobody can be. Nothing where no hours are set. */
export function Opening(): ReactElement | null {
  const { t } = useTranslation();
  const hours = useQuery({
    queryKey: ["hours"],
    queryFn: () => unwrap(api.GET("/api/v1/hours")),
    refetchInterval: EVERY_MS,
  });
  const [asked, ask] = useState<Hours | null>(null);
  if (!hours.data?.length) return null;
  return (
    <section className="stack">
      <h2>{t("supervise.hours")}</h2>
      <Scroll label={t("supervise.hours")}>
        <table className="table">
          <thead>
            <tr>
              <th>{t("supervise.name")}</th>
              <th>{t("supervise.state")}</th>
              <th>{t("supervise.opensNext")}</th>
              <th>{t("supervise.emergency")}</th>
            </tr>
          </thead>
          <tbody>
            {hours.data.map((each) => (
              <tr key={each.name}>
                <td className="strong">{each.name}</td>
                <td>
                  <Badge kind={BADGES[each.state]}>{t(`hours.${each.state}`)}</Badge>
                </td>
                <td className="tabular">
                  {each.opens_next && ["closed", "holiday"].includes(each.state) ? dateTime(each.opens_next) : ""}
                </td>
                <td>
                  <span className="row">
                    <Button look={each.emergency ? "" : "danger"} onPress={() => ask(each)}>
                      {t(each.emergency ? "hours.turnOff" : "hours.turnOn")}
                    </Button>
                    {each.emergency && each.turned_at && (
                      <span className="soft small">
                        {t("hours.turned", { who: each.turned_by, when: dateTime(each.turned_at) })}
                      </span>
                    )}
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {asked && <Turn hours={asked} onClose={() => ask(null)} />}
    </section>
  );
}

const BADGES: Record<Hours["state"], string> = { open: "ready", closed: "", holiday: "", emergency: "wrong" };

/** Asks before the switch is turned: every caller hears it. */
function Turn({ hours, onClose }: { hours: Hours; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  const client = useQueryClient();
  const on = !hours.emergency;
  const turn = useMutation({
    mutationFn: () =>
      unwrap(api.PUT("/api/v1/hours/{name}", { params: { path: { name: hours.name } }, body: { emergency: on } })),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ["hours"] });
      onClose();
    },
  });
  const title = t(on ? "hours.askOn" : "hours.askOff", { name: hours.name });
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{t(on ? "hours.meansOn" : "hours.meansOff")}</p>
      {turn.isError && (
        <Notice bad>
          {turn.error instanceof Problem && turn.error.detail
            ? t("problem.other", { detail: turn.error.detail })
            : t("problem.away")}
        </Notice>
      )}
      <div className="row">
        <Button look={on ? "danger" : "primary"} isDisabled={turn.isPending} onPress={() => turn.mutate()}>
          {t(on ? "hours.turnOn" : "hours.turnOff")}
        </Button>
        <Button look="quiet" onPress={onClose}>
          {t("hours.cancel")}
        </Button>
      </div>
    </Dialog>
  );
}
