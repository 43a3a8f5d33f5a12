import { useQuery } from "@tanstack/react-query";
import { Pause, Play, SkipBack, SkipForward } from "lucide-react";
import { Fragment, type ReactElement, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import WaveSurfer from "wavesurfer.js";
import { api, type Recording, unwrap, type Word } from "../api/client";
import { Button, Select } from "../design/components";
import { Empty, Notice } from "../design/telling";
import { CustomerPanel } from "../desk/CustomerPanel";
import { dateTime, duration, phoneNumber } from "../i18n/format";
import { useKeys } from "../keys/keys";
import { To } from "../shell/To";
import { silences, skipTo, spoken, turns, wordsAt } from "./turns";

const SPEEDS = ["0.75", "1", "1.25", "1.5", "2"];
const STEP_S = 5;

/** A recording heard and read at once: the word being spoken is lit, and a click on a word goes there. */
export function Replay({ id }: { id: string }): ReactElement {
  const { t } = useTranslation();
  const path = { path: { recording: id } };
  const recording = useQuery({
    queryKey: ["recording", id],
    queryFn: () => unwrap(api.GET("/api/v1/recordings/{recording}", { params: path })),
  });
  const transcript = useQuery({
    queryKey: ["transcript", id],
    queryFn: () => unwrap(api.GET("/api/v1/recordings/{recording}/transcript", { params: path })),
  });
  const words = useMemo(() => transcript.data?.words ?? [], [transcript.data]);
  const found = recording.data;

  return (
    <section className="stack wide">
      <div className="row apart wrap">
        <div>
          <To to="/supervise/recordings">← {t("supervise.back")}</To>
          {found && (
            <h2>
              {found.person || phoneNumber(found.ani) || t("phone.withheld")}{" "}
              <span className="soft small tabular">
                {dateTime(found.started_at)} · {duration(found.seconds)} · {found.agent}
              </span>
            </h2>
          )}
        </div>
        <span className="soft tiny">{t("supervise.heard")}</span>
      </div>
      {recording.isError && <Notice bad>{t("problem.other", { detail: recording.error.message })}</Notice>}
      {found && (
        <div className="replay">
          <div className="stack wide">
            {found.audio ? (
              <Player recording={found} words={words} />
            ) : (
              <Notice>
                {found.state === "spooling"
                  ? t("supervise.transcriptState.none")
                  : t("supervise.lost", { cause: found.cause })}
              </Notice>
            )}
            {transcript.data && transcript.data.state !== "done" && (
              <Notice plain>
                {t(`supervise.transcriptState.${transcript.data.state}`, { cause: transcript.data.cause })}
              </Notice>
            )}
            {transcript.data?.state === "done" && words.length === 0 && <Empty>{t("supervise.noSpeech")}</Empty>}
          </div>
          <aside aria-label={t("supervise.customer")}>
            {found.customer ? <CustomerPanel customer={found.customer} /> : null}
          </aside>
        </div>
      )}
    </section>
  );
}

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function Player({ recording, words }: { recording: Recording; words: Word[] }): ReactElement {
  const { t } = useTranslation();
  const place = useRef<HTMLDivElement>(null);
  const surfer = useRef<WaveSurfer | null>(null);
  const lanes = useRef<HTMLDivElement>(null);
  const [playing, setPlaying] = useState(false);
  const [now, setNow] = useState(0);
  const [speed, setSpeed] = useState("1");
  const [skips, setSkips] = useState(false);
  const [broken, setBroken] = useState(false);
  const spans = useMemo(() => spoken(words), [words]);
  const peaks = useQuery({
    queryKey: ["peaks", recording.id],
    queryFn: () =>
      unwrap(api.GET("/api/v1/recordings/{recording}/peaks", { params: { path: { recording: recording.id } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });

  useEffect(() => {
    if (!place.current || !peaks.data || !recording.audio) return;
    const nonce = document.querySelector("meta[property=csp-nonce]")?.getAttribute("nonce") ?? "";
    const outline = peaks.data as { seconds: number; channels: number[][] };
    const made = WaveSurfer.create({
      container: place.current,
      url: recording.audio,
      peaks: outline.channels,
      duration: outline.seconds,
      height: 52,
      barWidth: 2,
      barGap: 1,
      cursorColor: colour("--text"),
      cspNonce: nonce || (document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? ""),
      splitChannels: [
        { waveColor: colour("--wave-caller"), progressColor: colour("--text-2"), overlay: false },
        { waveColor: colour("--wave-agent"), progressColor: colour("--text-2"), overlay: false },
      ],
    });
    surfer.current = made;
    made.on("play", () => setPlaying(true));
    made.on("pause", () => setPlaying(false));
    made.on("timeupdate", setNow);
    made.on("error", () => setBroken(true));
    return () => {
      surfer.current = null;
      made.destroy();
    };
  }, [recording.audio, peaks.data]);

  // What is being said is lit without drawing a long transcript again twenty times a second.
  useEffect(() => {
    const box = lanes.current;
    if (!box) return;
    for (const lit of box.querySelectorAll(".lit")) lit.classList.remove("lit");
    for (const index of wordsAt(words, now)) {
      const word = box.querySelector(`[data-word="${index}"]`);
      word?.classList.add("lit");
      if (playing) word?.scrollIntoView?.({ block: "nearest" });
    }
    const further = skips && playing ? skipTo(spans, now) : null;
    if (further !== null) surfer.current?.setTime(further);
  }, [now, words, playing, skips, spans]);

  const seek = (to: number): void => surfer.current?.setTime(Math.max(0, Math.min(recording.seconds, to)));
  const toggle = (): void => void surfer.current?.playPause();
  useKeys({
    " ": toggle,
    k: toggle,
    j: () => seek(now - STEP_S),
    l: () => seek(now + STEP_S),
  });

  return (
    <>
      {(broken || peaks.isError) && <Notice bad>{t("problem.away")}</Notice>}
      <div className="stack">
        <div className="row">
          <span className="legend">
            <i /> {t("desk.caller")}
          </span>
          <span className="legend agent">
            <i /> {t("desk.agent")}
          </span>
        </div>
        <div className="wave" ref={place} data-testid="wave" />
        <Silences recording={recording} seek={seek} />
        <div className="row wrap">
          <Button
            look="quiet"
            icon={<SkipBack />}
            tip={t("keys.back")}
            shortcut="J"
            onPress={() => seek(now - STEP_S)}
          />
          <Button look="primary" icon={playing ? <Pause /> : <Play />} shortcut="Space" onPress={toggle}>
            {t(playing ? "supervise.pause" : "supervise.play")}
          </Button>
          <Button
            look="quiet"
            icon={<SkipForward />}
            tip={t("keys.forward")}
            shortcut="L"
            onPress={() => seek(now + STEP_S)}
          />
          <span className="tabular" data-testid="clock">
            {duration(now)} / {duration(recording.seconds)}
          </span>
          <span className="grow" />
          <Button on={skips} onPress={() => setSkips(!skips)}>
            {t("supervise.skip")}
          </Button>
          <div style={{ width: 92 }}>
            <Select
              label={t("supervise.speed")}
              hideLabel
              value={speed}
              options={SPEEDS.map((each) => ({ id: each, text: `${each}×` }))}
              onChange={(chosen) => {
                setSpeed(chosen);
                surfer.current?.setPlaybackRate(Number(chosen), true);
              }}
            />
          </div>
        </div>
      </div>
      <div className="lanes" ref={lanes}>
        {turns(words).map((turn) => (
          <div key={turn.words[0]?.index} className={`turn ${turn.channel ? "agent" : "caller"}`}>
            <button type="button" className="at" onClick={() => seek(turn.start)}>
              {duration(turn.start)}
            </button>
            <p className="said">
              <span className="label">{t(turn.channel ? "desk.agent" : "desk.caller")}</span>{" "}
              {turn.words.map(({ word, index }) => (
                <Fragment key={index}>
                  <button
                    type="button"
                    className="word"
                    data-word={index}
                    tabIndex={-1}
                    onClick={() => seek(word.start)}
                  >
                    {word.text}
                  </button>{" "}
                </Fragment>
              ))}
            </p>
          </div>
        ))}
      </div>
    </>
  );
}

/** The times of which there is nothing to be heard, and why: a click goes there. */
function Silences({ recording, seek }: { recording: Recording; seek: (to: number) => void }): ReactElement | null {
  const { t } = useTranslation();
  const found = silences(recording);
  if (!found.length) return null;
  return (
    <ul className="silences small">
      {found.map(({ why, since, until }) => (
        <li key={`${why} ${since}`}>
          <button type="button" className="at" onClick={() => seek(since)}>
            {t(`supervise.${why}`, { since: duration(since), until: duration(until) })}
          </button>
        </li>
      ))}
    </ul>
  );
}
