import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, type Link, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Badge, Button } from "../design/components";
import { Loading, Notice, Trouble } from "../design/telling";
import { dateTime } from "../i18n/format";
import { identityText } from "./identity";
import { unconfirmed, useLinks } from "./links";
import { PEOPLE, showDecided } from "./people";
import { useCustomer } from "./Whoever";

interface Props {
  customer: Customer;
  /** The link that was made a moment ago. */
  done: string;
}

/** What was decided of who a person is, by whom and why, newest first; each can be taken back. */
export function Links({ customer, done }: Props): ReactElement | null {
  const { t } = useTranslation();
  const [asked, ask] = useState<Link | null>(null);
  const [claim, confirm] = useState<Link | null>(null);
  const found = useLinks(customer.id);
  const claims = unconfirmed(found.data?.items ?? []);
  const links = [...(found.data?.items ?? [])].reverse();
  const made = links.find((each) => each.id === done);
  return (
    <section className="stack" aria-label={t("same.history")}>
      {made?.live && (
        <Notice plain arrives key={done}>
          {t(`same.done.${made.kind}`)}
        </Notice>
      )}
      <h3 className="label">{t("same.history")}</h3>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && links.length === 0 && <p className="small soft">{t("same.noHistory")}</p>}
      <ul className="decisions">
        {links.map((each) => (
          <li key={each.id}>
            <span className="grow">
              <span className="row wrap">
                <span className="strong">{t(`same.link.${each.kind}`)}</span>
                <Whose customer={customer} profile={each.customer} />
                {each.with && <Whose customer={customer} profile={each.with} />}
                {!each.live && <Badge>{t("same.undone")}</Badge>}
              </span>
              <span className="small soft">
                {[
                  dateTime(each.at),
                  each.by || t(`same.source.${each.source}`, { defaultValue: each.source }),
                  each.evidence,
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </span>
            {claims.includes(each) && <Button onPress={() => confirm(each)}>{t("same.confirm")}</Button>}
            {each.live && (
              <Button
                aria-label={`${t("same.undo")}: ${t(`same.link.${each.kind}`)} ${dateTime(each.at)}`}
                onPress={() => ask(each)}
              >
                {t("same.undo")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {asked && <Undo link={asked} customer={customer} onClose={() => ask(null)} />}
      {claim && <ConfirmClaim link={claim} customer={customer} onClose={() => confirm(null)} />}
    </section>
  );
}

function Undo({ link, customer, onClose }: { link: Link; customer: Customer; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  return (
    <Confirm
      title={t("same.askUndo", { what: t(`same.link.${link.kind}`) })}
      act={t("same.undo")}
      asks={{ label: t("same.evidence"), optional: true }}
      changes={PEOPLE}
      deed={(evidence) =>
        unwrap(
          api.POST("/api/v1/merges/{link_id}/undo", { params: { path: { link_id: link.id } }, body: { evidence } }),
        )
      }
      onDone={(answer) => {
        onClose();
        showDecided(answer, customer.id);
      }}
      onClose={onClose}
    >
      <p>{t(`same.undoMeans.${link.kind}`)}</p>
      <p className="soft">{t("same.canBeUndone")}</p>
    </Confirm>
  );
}

/** That a number given in a chat was the person's own: the profile is no guest any more. */
function ConfirmClaim({ link, customer, onClose }: { link: Link; customer: Customer; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Confirm
      title={t("same.askConfirm")}
      act={t("same.confirm")}
      asks={{ label: t("same.evidence"), hint: t("same.evidenceHint") }}
      changes={PEOPLE}
      deed={(evidence) =>
        unwrap(
          api.POST("/api/v1/customers/{customer_id}/merge", {
            params: { path: { customer_id: link.customer } },
            body: { with: link.with ?? customer.id, evidence },
          }),
        )
      }
      onDone={(answer) => {
        onClose();
        showDecided(answer, customer.id);
      }}
      onClose={onClose}
    >
      <p>{t("same.confirmMeans")}</p>
      <p className="soft">{t("same.canBeUndone")}</p>
    </Confirm>
  );
}

/** A profile by what it is known by; of one that is another person's, by that person. */
function Whose({ customer, profile }: { customer: Customer; profile: string }): ReactElement {
  const { t } = useTranslation();
  const isOurs = customer.profiles.includes(profile);
  const found = useCustomer(profile, !isOurs);
  const whole = isOurs ? customer : found.data;
  const its = whole?.identities.filter((each) => each.profile === profile) ?? [];
  const text = its[0] ? identityText(its[0], t) : whole?.name || profile.slice(0, 8);
  return <Badge kind={isOurs ? "" : "ringing"}>{text}</Badge>;
}
