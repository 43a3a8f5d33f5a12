import { useQuery } from "@tanstack/react-query";
import { Grid3x3, Mic, MicOff, Phone as PhoneIcon, PhoneOff } from "lucide-react";
import { type ReactElement, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, unwrap } from "../api/client";
import { serverNow } from "../api/clock";
import { Button, Field, Select, StateBadge, Timer } from "../design/components";
import { Notice } from "../design/telling";
import { switchTheme } from "../design/theme";
import { useDevices, usePhone } from "../phone/hooks";
import { Keypad } from "../phone/Keypad";
import { dialled, Phone } from "../phone/phone";
import { LanguageButton } from "../shell/Shell";
import "./call.css";

const KEPT = "hotline.number";

export default function CallPage(): ReactElement {
  const { t } = useTranslation();
  const phone = usePhone(useRef(new Phone()).current);
  const devices = useDevices();
  const hotline = useQuery({ queryKey: ["hotline"], queryFn: () => unwrap(api.GET("/api/v1/hotline")) });
  const [number, setNumber] = useState(localStorage.getItem(KEPT) ?? "");
  const [keypad, setKeypad] = useState(false);
  const [since, setSince] = useState("");
  const [called, setCalled] = useState(false);
  const wrong = number.trim() !== "" && !dialled(number);
  const inCall = phone.state === "calling" || phone.state === "talking";

  useEffect(() => {
    document.title = `${t("call.title")} · hotline`;
  }, [t]);
  useEffect(() => {
    phone.codec = new URLSearchParams(window.location.search).get("codec") ?? "";
  }, [phone]);
  useEffect(() => {
    if (phone.state === "talking") setSince(new Date(serverNow()).toISOString());
  }, [phone.state]);

  const call = (): void => {
    if (!hotline.data || wrong || inCall) return;
    localStorage.setItem(KEPT, number);
    const { domain, number: to, path, ice_servers } = hotline.data;
    phone.stop();
    phone.start({ uri: `sip:${dialled(number) || "anonymous"}@${domain}`, path, ice_servers });
    setCalled(true);
    void phone.call(`sip:${to}@${domain}`);
  };

  return (
    <main className="center">
      <div className="sheet stack wide call">
        <div>
          <h1>{t("call.title")}</h1>
          <p className="soft">{t("call.text")}</p>
        </div>
        {hotline.isError && <Notice bad>{t("problem.away")}</Notice>}
        {phone.cause && <Notice bad>{t(`phone.cause.${phone.cause}`)}</Notice>}
        {!inCall && called && !phone.cause && phone.state === "ready" && <Notice plain>{t("call.over")}</Notice>}
        {inCall ? (
          <>
            <p className="row apart" aria-live="polite">
              <StateBadge state={phone.state === "talking" ? "talking" : "ringing"} />
              <span className="tabular strong">
                {phone.state === "talking" ? <Timer since={since} /> : t("call.calling")}
              </span>
            </p>
            {keypad && <Keypad onPress={(key) => phone.press(key)} />}
            <div className="row wrap">
              <Button
                icon={phone.muted ? <MicOff /> : <Mic />}
                on={phone.muted}
                onPress={() => phone.setMuted(!phone.muted)}
              >
                {t(phone.muted ? "phone.unmute" : "phone.mute")}
              </Button>
              <Button icon={<Grid3x3 />} on={keypad} onPress={() => setKeypad(!keypad)}>
                {t("call.keypad")}
              </Button>
              <span className="grow" />
              <Button look="danger" icon={<PhoneOff />} onPress={() => phone.hangUp()}>
                {t("phone.hangUp")}
              </Button>
            </div>
          </>
        ) : (
          <>
            <Field
              label={t("call.number")}
              value={number}
              onChange={setNumber}
              inputMode="tel"
              autoComplete="tel"
              wrong={wrong}
              hint={wrong ? t("call.numberWrong") : t("call.numberHint")}
              name="number"
            />
            {devices.microphones.length > 1 && (
              <Select
                label={t("phone.microphone")}
                value={phone.microphone || (devices.microphones[0]?.deviceId ?? "")}
                options={devices.microphones.map((each, index) => ({
                  id: each.deviceId || String(index),
                  text: each.label || t("phone.device", { number: index + 1 }),
                }))}
                onChange={(id) => void phone.setMicrophone(id)}
              />
            )}
            <Button look="primary" large icon={<PhoneIcon />} isDisabled={!hotline.data || wrong} onPress={call}>
              {t(called ? "call.again" : "call.go")}
            </Button>
          </>
        )}
        <div className="row apart">
          <LanguageButton />
          <Button look="quiet" onPress={switchTheme}>
            {t("nav.theme")}
          </Button>
        </div>
      </div>
    </main>
  );
}
