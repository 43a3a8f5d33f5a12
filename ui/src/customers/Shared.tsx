import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Button } from "../design/components";
import { identityText } from "./identity";
import { PEOPLE } from "./people";

type Kind = "phone" | "email" | "zalo" | "facebook" | "web" | "external";

interface Asked {
  kind: string;
  value: string;
  names: string[];
  shares: boolean;
}

interface Props {
  customer: Customer;
  /** Identities with which several names go. */
  seems: { kind: string; value: string; names: string[] }[];
}

/** Numbers and addresses that several people use, as somebody said, or as it seems. */
export function Shared({ customer, seems }: Props): ReactElement | null {
  const { t } = useTranslation();
  const [asked, ask] = useState<Asked | null>(null);
  const found: Asked[] = [
    ...seems.map((each) => ({ ...each, shares: true })),
    ...customer.identities.filter((each) => each.shared).map((each) => ({ ...each, names: [], shares: false })),
  ];
  if (found.length === 0) return null;
  return (
    <section className="stack" aria-label={t("same.sharing")}>
      <h3 className="label">{t("same.sharing")}</h3>
      <ul className="decisions">
        {found.map((each) => (
          <li key={`${each.kind} ${each.value}`}>
            <span className="grow">
              <span className="strong">{identityText(each, t)}</span>
              <br />
              <span className="small soft">
                {each.shares ? t("same.seemsShared", { names: each.names.join(", ") }) : t("customers.shared")}
              </span>
            </span>
            <Button onPress={() => ask(each)}>{t(each.shares ? "same.share" : "same.unshare")}</Button>
          </li>
        ))}
      </ul>
      {asked && (
        <Confirm
          title={t(asked.shares ? "same.askShare" : "same.askUnshare", { what: identityText(asked, t) })}
          act={t(asked.shares ? "same.share" : "same.unshare")}
          asks={asked.shares ? { label: t("same.evidence"), first: asked.names.join(", ") } : undefined}
          changes={PEOPLE}
          deed={(evidence) => {
            const params = { path: { customer_id: customer.id } };
            const identity = { kind: asked.kind as Kind, value: asked.value };
            return unwrap(
              asked.shares
                ? api.POST("/api/v1/customers/{customer_id}/identities/share", {
                    params,
                    body: { ...identity, evidence },
                  })
                : api.POST("/api/v1/customers/{customer_id}/identities/unshare", { params, body: identity }),
            );
          }}
          onDone={() => ask(null)}
          onClose={() => ask(null)}
        >
          <p>{t(asked.shares ? "same.shareMeans" : "same.unshareMeans")}</p>
        </Confirm>
      )}
    </section>
  );
}
