import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Field } from "../design/components";
import { instant } from "../i18n/format";

interface Props {
  customer: Customer;
  deed: "hold" | "release";
  onClose: () => void;
}

/** Puts a legal hold on a person, or takes all of them away. */
export function Hold({ customer, deed, onClose }: Props): ReactElement {
  const { t } = useTranslation();
  const [until, setUntil] = useState("");
  const places = deed === "hold";
  const params = { path: { customer_id: customer.id } };
  return (
    <Confirm
      title={t(places ? "privacy.askHold" : "privacy.askRelease")}
      act={t(places ? "privacy.place" : "privacy.release")}
      danger={!places}
      asks={places ? { label: t("privacy.reason"), hint: t("privacy.reasonHint") } : undefined}
      changes={["customer", "customers"]}
      deed={async (reason) => {
        if (!places) return unwrap(api.POST("/api/v1/customers/{customer_id}/release", { params }));
        const end = instant(until, 1); // the day itself is still held
        const body = end ? { reason, until: end } : { reason };
        return unwrap(api.POST("/api/v1/customers/{customer_id}/hold", { params, body }));
      }}
      onDone={onClose}
      onClose={onClose}
    >
      <p>{t(places ? "privacy.holdMeans" : "privacy.releaseMeans")}</p>
      {places ? (
        <Field label={t("privacy.until")} type="date" value={until} onChange={setUntil} />
      ) : (
        <ul>
          {customer.holds.map((each) => (
            <li key={each.id} className="strong">
              {each.reason}
            </li>
          ))}
        </ul>
      )}
    </Confirm>
  );
}
