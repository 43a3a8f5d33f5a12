import { useQueryClient } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { identityText } from "../customers/identity";
import { Confirm } from "../design/Confirm";
import { go } from "../shell/path";

/** Erases a person, once their name is typed: nobody does that by a slip of the hand. */
export function Erase({ customer, onClose }: { customer: Customer; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  const client = useQueryClient();
  const first = customer.identities[0];
  const word = customer.name || (first ? identityText(first, t) : "") || customer.id.slice(0, 8);
  return (
    <Confirm
      title={t("privacy.askErase")}
      act={t("privacy.erase")}
      danger
      asks={{
        label: t("privacy.typeName", { name: word }),
        fits: (typed) => typed.trim().normalize("NFC") === word.trim().normalize("NFC"),
      }}
      changes={["customers", "requests"]}
      deed={() =>
        unwrap(api.POST("/api/v1/customers/{customer_id}/erase", { params: { path: { customer_id: customer.id } } }))
      }
      onDone={(erasure) => {
        client.setQueryData(["erasure", erasure.id], erasure);
        go(`/customers/erasures/${erasure.id}`, true);
        for (const kind of ["customer", "timeline", "context", "links", "suggestions", "consents"]) {
          client.removeQueries({ queryKey: [kind, customer.id] });
        }
      }}
      onClose={onClose}
    >
      <p className="strong">{word}</p>
      <p>
        {t("privacy.eraseMeans", {
          profiles: customer.profiles.length,
          identities: customer.identities.length,
          cases: customer.cases.length,
        })}
      </p>
      <p>{t("privacy.eraseFinal")}</p>
    </Confirm>
  );
}
