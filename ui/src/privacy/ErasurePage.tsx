import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { api, type Erasure, unwrap } from "../api/client";
import { Badge, Button } from "../design/components";
import { Loading, Notice, Trouble } from "../design/telling";
import { dateTime } from "../i18n/format";
import { To } from "../shell/To";

const EVERY_MS = 2000;

/** What became of an erasure: how far it is, what is gone, and the certificate to keep. */
export function ErasurePage({ id }: { id: string }): ReactElement {
  const { t } = useTranslation();
  const found = useQuery({
    queryKey: ["erasure", id],
    queryFn: () => unwrap(api.GET("/api/v1/erasures/{erasure_id}", { params: { path: { erasure_id: id } } })),
    refetchInterval: (query) => (query.state.data?.state === "running" ? EVERY_MS : false),
  });
  const erasure = found.data;
  useEffect(() => {
    document.title = `${t("privacy.erasure")} · hotline`;
  }, [t]);
  return (
    <article className="stack wide" aria-label={t("privacy.erasure")}>
      <header>
        <p className="small">
          <To to="/customers">← {t("customers.all")}</To>
        </p>
        <h2 className="who">{t("privacy.erasure")}</h2>
      </header>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {erasure && <Certified erasure={erasure} />}
    </article>
  );
}

function Certified({ erasure }: { erasure: Erasure }): ReactElement {
  const { t } = useTranslation();
  const statement = (erasure.certificate?.statement ?? {}) as { erased?: Record<string, number> };
  const counts = Object.entries(statement.erased ?? {}).filter(([, count]) => count > 0);
  return (
    <>
      {erasure.state === "running" ? (
        <Notice>{t("privacy.erasing", { cause: erasure.cause })}</Notice>
      ) : (
        <Notice plain>{t("privacy.erased")}</Notice>
      )}
      <p className="row wrap">
        <Badge kind={erasure.state === "done" ? "ready" : "ringing"}>{t(`erasure.${erasure.state}`)}</Badge>
        <span className="small soft">
          {[dateTime(erasure.done_at ?? erasure.requested_at), erasure.by].filter(Boolean).join(" · ")}
        </span>
      </p>
      {counts.length > 0 && (
        <section className="stack" aria-label={t("privacy.gone")}>
          <h3 className="label">{t("privacy.gone")}</h3>
          <dl className="facts">
            {counts.map(([kind, count]) => (
              <Count key={kind} kind={kind} count={count} />
            ))}
          </dl>
        </section>
      )}
      {erasure.certificate && (
        <div className="stack">
          <div className="row wrap">
            <Button look="primary" onPress={() => save(`erasure-${erasure.id}.json`, erasure.certificate)}>
              {t("privacy.certificate")}
            </Button>
          </div>
          <p className="small soft">{t("privacy.certificateText")}</p>
          <p className="tiny soft signature">{String(erasure.certificate.signature ?? "")}</p>
        </div>
      )}
    </>
  );
}

function Count({ kind, count }: { kind: string; count: number }): ReactElement {
  const { t } = useTranslation();
  return (
    <>
      <dt>{t(`gone.${kind}`, { defaultValue: kind.replaceAll("_", " ") })}</dt>
      <dd className="tabular">{count}</dd>
    </>
  );
}

/** Give something as a file. */
function save(name: string, content: unknown): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
