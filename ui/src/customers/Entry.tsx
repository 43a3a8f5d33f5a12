import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Interaction } from "../api/client";
import { Badge, Button } from "../design/components";
import { duration, time } from "../i18n/format";
import { useDecides } from "../shell/session";
import { To } from "../shell/To";

interface Props {
  item: Interaction;
  /** Whether this is the call that is going on. */
  now: boolean;
  /** The subject of its case. */
  about: string | undefined;
}

/** One thing that happened: when, by which channel, what. */
export function Entry({ item, now, about }: Props): ReactElement {
  const { t } = useTranslation();
  return (
    <li className="entry">
      <time className="tabular soft small" dateTime={item.occurred_at}>
        {time(item.occurred_at)}
      </time>
      <span className="channel">
        {t(`channel.${item.channel}`, { defaultValue: item.channel })}
        {item.direction === "outbound" && !item.call && <span className="tiny soft"> {t("customers.byUs")}</span>}
      </span>
      <div>
        {item.call ? (
          <CallEntry item={item} call={item.call} now={now} />
        ) : (
          <>
            {item.subject && <p className="strong">{item.subject}</p>}
            {item.text && <Words text={item.text} />}
            {item.channel === "voicemail" && item.external_id && <Heard recording={item.external_id} />}
          </>
        )}
        {about && about !== item.subject && <p className="small soft">{t("customers.inCase", { subject: about })}</p>}
      </div>
    </li>
  );
}

function CallEntry({ item, call, now }: { item: Interaction; call: NonNullable<Interaction["call"]>; now: boolean }) {
  const { t } = useTranslation();
  const figures = [
    call.queue && call.queue_wait_s !== null && `${call.queue} ${duration(call.queue_wait_s)}`,
    call.agent && `${call.agent}${call.talk_s === null ? "" : ` ${duration(call.talk_s)}`}`,
    call.disposition && t(`disposition.${call.disposition}`, { defaultValue: call.disposition }),
  ].filter(Boolean);
  return (
    <>
      <p>
        {item.direction === "outbound" ? t("desk.weCalled") : call.flow_path.join(" › ")}{" "}
        {now && <Badge kind="talking">{t("desk.now")}</Badge>}
      </p>
      {figures.length > 0 && <p className="small soft">{figures.join(" · ")}</p>}
      {call.recording && <Heard recording={call.recording.replace("/api/v1/recordings/", "")} />}
      {call.note && <p className="small">{call.note}</p>}
      {item.text && <p className="small soft">{item.text}</p>}
    </>
  );
}

/** Where the sound is: a link for those who may hear it. */
function Heard({ recording }: { recording: string }): ReactElement {
  const { t } = useTranslation();
  if (!useDecides()) return <p className="small soft">{t("customers.recorded")}</p>;
  return (
    <p className="small">
      <To to={`/supervise/recordings/${recording}`}>{t("supervise.open")}</To>
    </p>
  );
}

const SHORT = 400;

/** A text, a long one cut until somebody wants all of it. */
function Words({ text }: { text: string }): ReactElement {
  const { t } = useTranslation();
  const [whole, setWhole] = useState(text.length <= SHORT);
  return (
    <>
      <p className="said">{whole ? text : `${text.slice(0, SHORT)}…`}</p>
      {!whole && <Button onPress={() => setWhole(true)}>{t("customers.wholeText")}</Button>}
    </>
  );
}
