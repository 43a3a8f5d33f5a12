import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Customer } from "../api/client";
import { unconfirmed, useLinks } from "../customers/links";
import { Button } from "../design/components";
import { Notice } from "../design/telling";
import { To } from "../shell/To";
import { Erase } from "./Erase";
import { Hold } from "./Hold";
import { NewRequest } from "./NewRequest";
import { RequestsOf } from "./RequestsOf";

type Deed = "hold" | "release" | "erase" | "request";

/** What the law gives a person, and what keeps their data: for those who may decide it. */
export function Privacy({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const [asked, ask] = useState<Deed | null>(null);
  const claims = unconfirmed(useLinks(customer.id).data?.items ?? []);
  const held = customer.holds.length > 0;
  const close = (): void => ask(null);
  return (
    <section className="stack" aria-label={t("privacy.title")}>
      <h3 className="label">{t("privacy.title")}</h3>
      <RequestsOf customer={customer} />
      {claims.length > 0 && (
        <Notice>
          {t("privacy.claimed")} <To to={`/customers/${customer.id}/same`}>{t("same.title")}</To>
        </Notice>
      )}
      <div className="row wrap">
        <Button onPress={() => ask("request")}>{t("privacy.writeRequest")}</Button>
        <a className="button" href={`/api/v1/customers/${customer.id}/export`} download>
          {t("privacy.export")}
        </a>
        <Button onPress={() => ask("hold")}>{t("privacy.place")}</Button>
        {held && <Button onPress={() => ask("release")}>{t("privacy.release")}</Button>}
        <Button look="danger" isDisabled={held} onPress={() => ask("erase")}>
          {t("privacy.erase")}
        </Button>
      </div>
      <p className="small soft">{t(held ? "privacy.blocked" : "privacy.exportText")}</p>
      {(asked === "hold" || asked === "release") && <Hold customer={customer} deed={asked} onClose={close} />}
      {asked === "erase" && <Erase customer={customer} onClose={close} />}
      {asked === "request" && <NewRequest customer={customer} onClose={close} />}
    </section>
  );
}
