import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Callback, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Badge, Button, Timer } from "../design/components";
import { Empty, Loading, Trouble } from "../design/telling";
import { dateTime, phoneNumber } from "../i18n/format";
import { inTurn } from "./inTurn";
import { Person } from "./Person";
import { useQueueTitles } from "./Tasks";

const SHOWN = ["due", "failed", "over"] as const;
type Shown = (typeof SHOWN)[number];
const STATES: Record<Shown, Callback["state"][]> = {
  due: ["calling", "booked"],
  failed: ["failed"],
  over: ["done", "cancelled"],
};
const BADGES: Record<Callback["state"], string> = {
  booked: "",
  calling: "ringing",
  done: "ready",
  cancelled: "",
  failed: "wrong",
};
const MOST = 100;
const EVERY_MS = 15_000;

/** People who were promised a call: who is next, whom nobody reached, and what became of the others. */
export function Callbacks(): ReactElement {
  const { t } = useTranslation();
  const [shown, show] = useState<Shown>("due");
  const [asked, ask] = useState<Callback | null>(null);
  const found = useQuery({
    queryKey: ["callbacks", shown],
    queryFn: async () => {
      const pages = await Promise.all(
        STATES[shown].map((state) =>
          unwrap(api.GET("/api/v1/callbacks", { params: { query: { state, limit: MOST } } })),
        ),
      );
      return pages.flatMap((page) => page.items);
    },
    refetchInterval: EVERY_MS,
  });
  const items = found.data ?? [];
  return (
    <section className="stack" aria-label={t("tasks.callbacks")}>
      <div className="row apart wrap">
        <h2>{t("tasks.callbacks")}</h2>
        <fieldset className="chips" aria-label={t("tasks.which")}>
          {SHOWN.map((each) => (
            <Button key={each} on={shown === each} onPress={() => show(each)}>
              {t(`tasks.shown.${each}`)}
            </Button>
          ))}
        </fieldset>
      </div>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && items.length === 0 && (
        <Empty>{t(shown === "due" ? "tasks.noCallbacks" : "tasks.noneDone")}</Empty>
      )}
      <ul className="decisions">
        {(shown === "due" ? inTurn(items) : items).map((each) => (
          <Promised key={each.id} callback={each} onCancel={() => ask(each)} />
        ))}
      </ul>
      {asked && (
        <Confirm
          title={t("tasks.askCancel")}
          act={t("tasks.cancel")}
          danger
          changes={["callbacks"]}
          deed={() => unwrap(api.DELETE("/api/v1/callbacks/{callback}", { params: { path: { callback: asked.id } } }))}
          onDone={() => ask(null)}
          onClose={() => ask(null)}
        >
          <p className="strong">
            {asked.person} {phoneNumber(asked.number)}
          </p>
          <p>{t("tasks.cancelMeans")}</p>
        </Confirm>
      )}
    </section>
  );
}

function Promised({ callback, onCancel }: { callback: Callback; onCancel: () => void }): ReactElement {
  const { t } = useTranslation();
  const titleOf = useQueueTitles();
  const due = STATES.due.includes(callback.state);
  return (
    <li>
      <div className="grow stack">
        <span className="row wrap">
          {callback.place !== null && <Badge kind="talking">{t("tasks.place", { place: callback.place })}</Badge>}
          <Person customer={callback.customer} name={callback.person} number={callback.number} />
          <Badge>{titleOf(callback.queue)}</Badge>
          {callback.state !== "booked" && (
            <Badge kind={BADGES[callback.state]}>{t(`callback.${callback.state}`)}</Badge>
          )}
        </span>
        {callback.note && <p>{callback.note}</p>}
        <p className="small soft">
          {due ? (
            <>
              {t("tasks.waits")} <Timer since={callback.since} />
            </>
          ) : (
            callback.ended_at && dateTime(callback.ended_at)
          )}
          {[
            callback.attempts > 0 && t("tasks.attempts", { number: callback.attempts }),
            due && callback.next_at && t("tasks.notBefore", { when: dateTime(callback.next_at) }),
            due && callback.state === "booked" && callback.place === null && !callback.next_at && t("tasks.rests"),
            callback.cause,
          ]
            .filter(Boolean)
            .map((each) => ` · ${each}`)
            .join("")}
        </p>
      </div>
      {callback.state === "booked" && (
        <Button
          aria-label={`${t("tasks.cancel")}: ${callback.person || phoneNumber(callback.number)}`}
          onPress={onCancel}
        >
          {t("tasks.cancel")}
        </Button>
      )}
    </li>
  );
}
