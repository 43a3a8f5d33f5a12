import type { TFunction } from "i18next";
import { type ReactElement, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type CallerContext, customerNumber, type DeskCall, type Session, unwrap } from "../api/client";
import { Empty, Notice } from "../design/telling";
import { phoneNumber } from "../i18n/format";
import { useKeys } from "../keys/keys";
import { usePhone } from "../phone/hooks";
import { Phone } from "../phone/phone";
import { useQualities } from "../quality/hooks";
import { useLocation } from "../shell/path";
import { Shell } from "../shell/Shell";
import { To } from "../shell/To";
import { Beside, hereOf } from "./Beside";
import { CustomerPanel } from "./CustomerPanel";
import { PhoneColumn } from "./PhoneColumn";
import { ring } from "./ring";
import { StateBar } from "./StateBar";
import { Transcript } from "./Transcript";
import { useDeed, useDesk } from "./useDesk";
import { useTheOnlyTab } from "./useTheOnlyTab";
import { WrapUp } from "./WrapUp";
import "./desk.css";

const SHORTCUTS: [string, string][] = [
  ["a", "keys.answer"],
  ["e", "keys.hangUp"],
  ["m", "keys.mute"],
  ["h", "keys.hold"],
  ["p", "keys.pauseRecording"],
  ["t", "keys.transfer"],
  ["k", "keys.keypad"],
  ["r", "keys.ready"],
];

const SEARCH: [string, string] = ["/", "keys.search"];

const nameOf = (call: DeskCall, t: TFunction): string =>
  (call.context as unknown as CallerContext).name || phoneNumber(customerNumber(call)) || t("phone.withheld");

export default function Desk({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation();
  if (session.role !== "agent") {
    return (
      <Shell session={session} here="desk" shortcuts={[]}>
        <h1 className="unseen">{t("desk.title")}</h1>
        <Empty>{t("desk.mustBeAgent", { role: session.role })}</Empty>
      </Shell>
    );
  }
  return <AgentDesk session={session} />;
}

function AgentDesk({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation();
  const { desk, problem } = useDesk();
  const phone = usePhone(useMemo(() => new Phone(), []));
  const tab = useTheOnlyTab("hotline.phone");
  const deed = useDeed();
  const qualities = useQualities();
  const [transferring, setTransferring] = useState(false);
  const [keypad, setKeypad] = useState(false);
  const pressed = useRef<Promise<unknown>>(Promise.resolve());
  const call = desk?.call ?? null;
  const who = call ? nameOf(call, t) : "";
  const shown = call ?? desk?.wrap_up ?? null;
  const path = useLocation().split("?")[0] ?? "";
  const here = hereOf(path);
  const shownContext = shown?.context as CallerContext | undefined;

  useEffect(() => {
    if (here === "desk") document.title = `${t("desk.title")} · hotline`;
  }, [t, here]);

  // The phone is this page's as long as the page is the only one; it registers with a secret of the session alone.
  useEffect(() => {
    if (!tab.isOurs) {
      phone.stop();
      return;
    }
    let over = false;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const start = (): void => {
      unwrap(api.POST("/api/v1/session/phone"))
        .then((account) => !over && phone.start({ ...account }))
        .catch(() => {
          if (!over) retry = setTimeout(start, 2000);
        });
    };
    start();
    return () => {
      over = true;
      clearTimeout(retry);
    };
  }, [tab.isOurs, phone]);

  const rings = call?.state === "ringing" && phone.state === "ringing";
  useEffect(() => (rings ? ring(t("desk.rings", { who })) : undefined), [rings, who, t]);

  useEffect(() => {
    if (call === null) {
      setTransferring(false);
      setKeypad(false);
    }
  }, [call]);

  const setState = (state: "ready" | "not_ready", reason = ""): void =>
    deed.run(() =>
      unwrap(
        api.POST("/api/v1/agents/{agent}/state", {
          params: { path: { agent: session.user } },
          body: { state, reason },
        }),
      ),
    );
  const params = { path: { call: call?.id ?? "" } };
  const talks = call?.state === "talking" || call?.state === "held";
  const calls = call?.state === "calling";
  const toggleHold = (): void =>
    deed.run(() =>
      unwrap(
        call?.state === "held"
          ? api.POST("/api/v1/calls/{call}/resume", { params })
          : api.POST("/api/v1/calls/{call}/hold", { params }),
      ),
    );
  const togglePause = (): void =>
    deed.run(() =>
      unwrap(
        call?.recording_paused_at
          ? api.POST("/api/v1/calls/{call}/recording/resume", { params })
          : api.POST("/api/v1/calls/{call}/recording/pause", { params }),
      ),
    );
  // The page's phone keeps keys in their order; the server is asked where another phone has the talk, or to say why not.
  const pressKey = (key: string): void => {
    if (phone.state === "talking" && call?.state === "talking") phone.press(key);
    else
      deed.run(() => {
        const after = pressed.current.catch(() => undefined);
        pressed.current = after.then(() =>
          unwrap(api.POST("/api/v1/calls/{call}/keys", { params, body: { keys: key } })),
        );
        return pressed.current;
      });
  };
  const hangUp = (): void => {
    if (phone.state === "ringing") phone.reject();
    else if (talks || calls) deed.run(() => unwrap(api.POST("/api/v1/calls/{call}/hangup", { params })));
  };

  useKeys({
    a: phone.state === "ringing" ? () => void phone.answer() : undefined,
    e: call ? hangUp : undefined,
    m: talks ? () => phone.setMuted(!phone.muted) : undefined,
    h: talks ? toggleHold : undefined,
    p: talks && call?.recording ? togglePause : undefined,
    t: talks ? () => setTransferring((open) => !open) : undefined,
    k: talks ? () => setKeypad((open) => !open) : undefined,
    r: desk ? () => (desk.agent.reason ? setState("ready") : setState("not_ready", desk.reasons[0] ?? "")) : undefined,
  });

  const bar = desk && <StateBar desk={desk} onState={setState} />;
  return (
    <Shell
      session={session}
      here={here}
      shortcuts={here === "customers" ? [...SHORTCUTS, SEARCH] : SHORTCUTS}
      bar={bar}
      onSignOut={() => phone.stop()}
    >
      <h1 className="unseen">{t(here === "desk" ? "desk.title" : `nav.${here}`)}</h1>
      {problem && (
        <Notice bad>{problem.status ? t("problem.other", { detail: problem.detail }) : t("problem.away")}</Notice>
      )}
      {deed.problem && <Notice bad>{deed.problem.status ? deed.problem.detail : t("problem.away")}</Notice>}
      {desk && (
        <div className={here === "desk" ? "desk" : "desk beside"}>
          <div className="column">
            <PhoneColumn
              desk={desk}
              phone={phone}
              who={who}
              tab={tab}
              keypad={keypad}
              onKeypad={() => setKeypad(!keypad)}
              transferring={transferring}
              onTransfer={() => setTransferring(!transferring)}
              onHold={toggleHold}
              onPauseRecording={togglePause}
              onHangUp={hangUp}
              onKey={pressKey}
              deed={deed}
              me={session.user}
              quality={call ? qualities.get(call.id) : undefined}
            />
            {shown && here !== "desk" && <To to="/desk">{t("desk.showCaller", { who: nameOf(shown, t) })}</To>}
            {!call && desk.wrap_up && <WrapUp key={desk.wrap_up.id} desk={desk} call={desk.wrap_up} deed={deed} />}
          </div>
          {here === "desk" ? (
            <>
              <div className="column">
                {shown?.customer ? (
                  <CustomerPanel
                    key={shown.customer}
                    customer={shown.customer}
                    context={shownContext}
                    call={call?.id}
                    talks={talks}
                  />
                ) : (
                  <Empty>{t("desk.noCustomer")}</Empty>
                )}
              </div>
              <div className="column alongside">
                <Transcript call={shown} />
              </div>
            </>
          ) : (
            <Beside here={here} />
          )}
        </div>
      )}
    </Shell>
  );
}
