import {
  CircleSlash,
  Disc3,
  Grid3x3,
  Mic,
  MicOff,
  Pause,
  PhoneForwarded,
  Phone as PhoneIcon,
  PhoneOff,
  Play,
} from "lucide-react";
import { type ReactElement, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { customerNumber, type Desk, type DeskCall } from "../api/client";
import { Button, Select, StateBadge, Timer } from "../design/components";
import { Notice } from "../design/telling";
import { duration, figure, phoneNumber, time } from "../i18n/format";
import { useDevices } from "../phone/hooks";
import { Keypad } from "../phone/Keypad";
import type { Phone, Quality } from "../phone/phone";
import { Line, QualityMark } from "../quality/QualityMark";
import type { CallQuality } from "../quality/quality";
import { Transfer } from "./Transfer";
import type { useDeed } from "./useDesk";
import type { OnlyTab } from "./useTheOnlyTab";

interface Props {
  desk: Desk;
  phone: Phone;
  who: string;
  tab: OnlyTab;
  keypad: boolean;
  onKeypad: () => void;
  transferring: boolean;
  onTransfer: () => void;
  onHold: () => void;
  onPauseRecording: () => void;
  onHangUp: () => void;
  onKey: (key: string) => void;
  deed: ReturnType<typeof useDeed>;
  me: string;
  quality: CallQuality | undefined;
}

/** The phone: who calls, and the one thing to do next in the same place always. */
export function PhoneColumn(props: Props): ReactElement {
  const { t } = useTranslation();
  const { desk, phone, who, tab } = props;
  const call = desk.call;
  return (
    <section aria-label={t("phone.title")} className="stack wide">
      {!tab.isOurs && (
        <Notice>
          {t("phone.elsewhere")} <Button onPress={tab.take}>{t("phone.here")}</Button>
        </Notice>
      )}
      {phone.cause && <Notice bad>{t(`phone.cause.${phone.cause}`)}</Notice>}
      {call ? <CallControls {...props} call={call} who={who} /> : <Idle desk={desk} phone={phone} />}
      <DeviceChoice phone={phone} />
    </section>
  );
}

function Idle({ desk, phone }: { desk: Desk; phone: Phone }): ReactElement {
  const { t } = useTranslation();
  const agent = desk.agent;
  const waiting = desk.queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const words = (): string => {
    if (agent.state === "offline") return phone.state === "connecting" ? t("phone.connecting") : t("desk.offlineText");
    if (agent.state === "not_ready") return t("desk.notReadyText");
    if (agent.state === "ready" && agent.since) {
      const ready = t("desk.readySince", { time: time(agent.since) });
      return `${ready} ${waiting ? t("desk.waitingSome", { count: waiting }) : t("desk.waitingNone")}`;
    }
    return "";
  };
  return (
    <div className="stack">
      <p className="strong">{t("desk.noCall")}</p>
      <p className="soft">{words()}</p>
    </div>
  );
}

function CallControls(props: Props & { call: DeskCall }): ReactElement {
  const { t } = useTranslation();
  const { call, phone, deed } = props;
  const number = phoneNumber(customerNumber(call));
  const rings = call.state === "ringing";
  const talks = call.state === "talking" || call.state === "held";
  const held = call.state === "held";
  return (
    <div className={`stack wide ${rings ? "ringing-now" : ""}`}>
      <div className="stack" aria-live="assertive">
        <h2 className="who">{props.who}</h2>
        <p className="row apart wrap">
          <span className="tabular nowrap">{props.who === number ? "" : number}</span>
          <span className="row">
            <StateBadge state={call.state} />
            {talks && <Timer since={call.held_at ?? props.desk.agent.since} />}
          </span>
        </p>
        {call.transferred_by && <p className="small soft">{t("desk.transferredBy", { who: call.transferred_by })}</p>}
      </div>
      {call.away_at && <Notice bad>{t("phone.away")}</Notice>}
      {talks && phone.muted && <Notice>{t("phone.muted")}</Notice>}
      {rings && (
        <div className="controls">
          <Button
            look="primary"
            large
            icon={<PhoneIcon />}
            shortcut="A"
            isDisabled={phone.state !== "ringing"}
            onPress={() => void phone.answer()}
          >
            {t("phone.answer")}
          </Button>
          <Button look="danger" large icon={<PhoneOff />} shortcut="E" onPress={props.onHangUp}>
            {t("phone.reject")}
          </Button>
        </div>
      )}
      {call.state === "calling" && (
        <div className="controls">
          <Button
            look="danger"
            large
            wide
            icon={<PhoneOff />}
            shortcut="E"
            isDisabled={deed.busy}
            onPress={props.onHangUp}
          >
            {t("phone.hangUp")}
          </Button>
        </div>
      )}
      {talks && call.recording_paused_at && (
        <Notice>
          {t("phone.recordingPaused")} <Timer since={call.recording_paused_at} />
        </Notice>
      )}
      {talks && (
        <div className="controls">
          <Button
            icon={phone.muted ? <MicOff /> : <Mic />}
            on={phone.muted}
            shortcut="M"
            onPress={() => phone.setMuted(!phone.muted)}
          >
            {t(phone.muted ? "phone.unmute" : "phone.mute")}
          </Button>
          <Button
            icon={held ? <Play /> : <Pause />}
            on={held}
            shortcut="H"
            isDisabled={deed.busy}
            onPress={props.onHold}
          >
            {t(held ? "phone.resume" : "phone.hold")}
          </Button>
          {call.recording && (
            <Button
              icon={call.recording_paused_at ? <Disc3 /> : <CircleSlash />}
              on={call.recording_paused_at !== null}
              shortcut="P"
              isDisabled={deed.busy}
              onPress={props.onPauseRecording}
            >
              {t(call.recording_paused_at ? "phone.resumeRecording" : "phone.pauseRecording")}
            </Button>
          )}
          <Button icon={<Grid3x3 />} on={props.keypad} shortcut="K" onPress={props.onKeypad}>
            {t("phone.keypad")}
          </Button>
          <Button icon={<PhoneForwarded />} on={props.transferring} shortcut="T" onPress={props.onTransfer}>
            {t("phone.transfer")}
          </Button>
          <Button look="danger" large wide icon={<PhoneOff />} shortcut="E" onPress={props.onHangUp}>
            {t("phone.hangUp")}
          </Button>
        </div>
      )}
      {talks && props.keypad && <Keypad onPress={props.onKey} />}
      {talks && props.transferring && <Transfer call={call} me={props.me} deed={deed} />}
      {talks && (
        <QualityMark titled quality={props.quality}>
          <BrowserQuality phone={phone} />
        </QualityMark>
      )}
      <InTheFlow call={call} />
    </div>
  );
}

function InTheFlow({ call }: { call: DeskCall }): ReactElement {
  const { t } = useTranslation();
  return (
    <div className="stack">
      <h3 className="label">{t("desk.flow")}</h3>
      <p className="small">{call.flow_path.join(" › ")}</p>
      <dl className="facts">
        {Object.entries(call.variables).map(([name, value]) => (
          <div key={name} style={{ display: "contents" }}>
            <dt>{name}</dt>
            <dd>{caseSubject(call, value)}</dd>
          </div>
        ))}
      </dl>
      {call.queue_wait_s !== null && (
        <p className="small soft">{t("desk.waited", { time: duration(call.queue_wait_s) })}</p>
      )}
    </div>
  );
}

/** A chosen case is shown by its subject, not by its id. */
function caseSubject(call: DeskCall, value: unknown): string {
  const cases = (call.context as { open_cases?: { id: string; subject: string }[] }).open_cases ?? [];
  return cases.find((each) => each.id === value)?.subject ?? String(value);
}

/** What the browser itself measures of what it hears. */
function BrowserQuality({ phone }: { phone: Phone }): ReactElement | null {
  const { t } = useTranslation();
  const [quality, setQuality] = useState<Quality | null>(null);
  useEffect(() => {
    const timer = setInterval(() => void phone.quality().then(setQuality), 3000);
    return () => clearInterval(timer);
  }, [phone]);
  if (!quality) return null;
  return (
    <Line title={t("quality.browser")}>
      {t("phone.qualityText", {
        codec: quality.codec,
        lost: figure(100 * quality.lost, 1),
        jitter: figure(quality.jitterMs),
        trip: figure(quality.roundTripMs),
      })}
    </Line>
  );
}

function DeviceChoice({ phone }: { phone: Phone }): ReactElement {
  const { t } = useTranslation();
  const { microphones, speakers } = useDevices();
  const named = (devices: MediaDeviceInfo[]): { id: string; text: string }[] =>
    devices.map((each, index) => ({
      id: each.deviceId || String(index),
      text: each.label || t("phone.device", { number: index + 1 }),
    }));
  return (
    <details>
      <summary className="label">{t("phone.devices")}</summary>
      <div className="stack" style={{ paddingTop: 8 }}>
        <Select
          label={t("phone.microphone")}
          options={named(microphones)}
          value={phone.microphone || (microphones[0]?.deviceId ?? "")}
          placeholder={t("phone.default")}
          onChange={(id) => void phone.setMicrophone(id)}
        />
        <Select
          label={t("phone.speaker")}
          options={named(speakers)}
          value={phone.speaker || (speakers[0]?.deviceId ?? "")}
          placeholder={t("phone.default")}
          onChange={(id) => void phone.setSpeaker(id)}
        />
      </div>
    </details>
  );
}
