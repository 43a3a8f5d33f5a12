import { SignalHigh, SignalLow, SignalMedium } from "lucide-react";
import { Fragment, type ReactElement, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Badge } from "../design/components";
import { figure } from "../i18n/format";
import { type CallQuality, type Figures, type Mark, markOf } from "./quality";
import "./quality.css";

const LOOKS: Record<Mark, { kind: string; icon: ReactElement }> = {
  good: { kind: "ready", icon: <SignalHigh aria-hidden="true" /> },
  fair: { kind: "ringing", icon: <SignalMedium aria-hidden="true" /> },
  poor: { kind: "wrong", icon: <SignalLow aria-hidden="true" /> },
};

interface Props {
  quality: CallQuality | undefined;
  /** Say before the mark what it is a mark of; where a column says so it is for those who do not see it. */
  titled?: boolean;
  /** Further lines of figures. */
  children?: ReactNode;
}

/** How a call sounds, in a word; the figures are there for whom opens it. Nothing is shown where nothing is known. */
export function QualityMark({ quality, titled, children }: Props): ReactElement | null {
  const { t } = useTranslation();
  const mark = markOf(quality);
  if (!mark || !quality) return null;
  const { kind, icon } = LOOKS[mark];
  return (
    <details className="quality">
      <summary>
        <span className={titled ? "label" : "unseen"}>{t("phone.quality")}</span>{" "}
        <Badge kind={kind} icon={icon}>
          {t(`quality.${mark}`)}
        </Badge>
      </summary>
      <dl className="tiny tabular">
        <Way title={t("quality.fromCaller")} figures={quality.caller?.from} trip={quality.caller?.roundTripMs} />
        <Way title={t("quality.toCaller")} figures={quality.caller?.to} />
        <Way title={t("quality.fromAgent")} figures={quality.agent?.from} trip={quality.agent?.roundTripMs} />
        <Way title={t("quality.toAgent")} figures={quality.agent?.to} />
        {children}
      </dl>
    </details>
  );
}

function Way(props: { title: string; figures: Figures | undefined; trip?: number | undefined }): ReactElement | null {
  const { t } = useTranslation();
  const { mos, loss, jitterMs } = props.figures ?? {};
  const known = [
    mos !== undefined && t("quality.mos", { value: figure(mos, 1) }),
    loss !== undefined && t("quality.loss", { value: figure(100 * loss, 1) }),
    jitterMs !== undefined && t("quality.jitter", { value: figure(jitterMs) }),
    props.trip !== undefined && t("quality.trip", { value: figure(props.trip) }),
  ].filter((each) => each !== false);
  if (known.length === 0) return null;
  return (
    <Line title={props.title}>
      {known.map((each, index) => (
        <Fragment key={each}>
          {index > 0 && " · "}
          <span className="nowrap">{each}</span>
        </Fragment>
      ))}
    </Line>
  );
}

/** A line of figures. */
export function Line({ title, children }: { title: string; children: ReactNode }): ReactElement {
  return (
    <div>
      <dt>{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}
