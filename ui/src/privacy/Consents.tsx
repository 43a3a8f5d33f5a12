import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Consent, type Customer, unwrap } from "../api/client";
import { Badge, Button } from "../design/components";
import { Trouble } from "../design/telling";
import { dateTime } from "../i18n/format";
import { useDecides } from "../shell/session";
import { NewConsent } from "./NewConsent";

const BADGES = { given: "ready", refused: "wrong", withdrawn: "wrong" };

/** What a person agreed to: the last word on each purpose, and for those who may ask for it every word before. */
export function Consents({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const decides = useDecides();
  const [asked, ask] = useState(false);
  const history = useQuery({
    queryKey: ["consents", customer.id],
    queryFn: () =>
      unwrap(api.GET("/api/v1/customers/{customer_id}/consents", { params: { path: { customer_id: customer.id } } })),
    enabled: decides,
  });
  const before = (last: Consent): Consent[] =>
    (history.data?.items ?? []).filter((each) => each.purpose === last.purpose && each.id !== last.id);
  return (
    <section className="stack" aria-label={t("privacy.consents")}>
      <div className="row apart">
        <h3 className="label">{t("privacy.consents")}</h3>
        {decides && <Button onPress={() => ask(true)}>{t("privacy.writeConsent")}</Button>}
      </div>
      {history.isError && <Trouble error={history.error} again={() => void history.refetch()} />}
      {customer.consents.length === 0 && <p className="small soft">{t("privacy.noConsents")}</p>}
      <ul className="marks">
        {customer.consents.map((each) => (
          <li key={each.id}>
            <Word consent={each} />
            {before(each).length > 0 && (
              <details className="small">
                <summary>{t("privacy.before", { number: before(each).length })}</summary>
                <ul className="marks earlier">
                  {before(each).map((one) => (
                    <li key={one.id}>
                      <Word consent={one} />
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ul>
      {asked && <NewConsent customer={customer} onClose={() => ask(false)} />}
    </section>
  );
}

/** One word: who said it, when, to what, and where it can be heard. */
function Word({ consent }: { consent: Consent }): ReactElement {
  const { t } = useTranslation();
  const decides = useDecides();
  const purpose = t(`purpose.${consent.purpose}`, { defaultValue: consent.purpose });
  return (
    <>
      <span className="row wrap">
        <span className="strong">{purpose}</span>
        <Badge kind={BADGES[consent.state]}>{t(`consent.${consent.state}`)}</Badge>
      </span>
      <span className="small soft">
        {[
          dateTime(consent.at),
          t(`channel.${consent.channel}`, { defaultValue: consent.channel }),
          consent.by && t("privacy.writtenBy", { who: consent.by }),
        ]
          .filter(Boolean)
          .join(" · ")}
      </span>
      <details className="small">
        <summary>{t("privacy.whatWasSaid")}</summary>
        <p className="notice-words">
          {consent.notice} {consent.notice_version && <span className="soft">({consent.notice_version})</span>}
        </p>
      </details>
      {decides && consent.clip && (
        <audio controls preload="none" src={consent.clip} aria-label={t("privacy.clip", { purpose })} />
      )}
    </>
  );
}
