import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Consent, type Customer, unwrap } from "../api/client";
import { serverNow } from "../api/clock";
import { Confirm } from "../design/Confirm";
import { Select } from "../design/components";

const STATES: Consent["state"][] = ["given", "refused", "withdrawn"];
const CHANNELS = ["call", "email", "zalo", "facebook", "form", "store"];

/** Somebody agreed, refused or took it back, and told a person: it is written down. */
export function NewConsent({ customer, onClose }: { customer: Customer; onClose: () => void }): ReactElement {
  const { t } = useTranslation();
  const [purpose, setPurpose] = useState(customer.consents[0]?.purpose ?? "marketing");
  const [state, setState] = useState<Consent["state"]>("withdrawn");
  const [channel, setChannel] = useState("call");
  const purposes = [...new Set(["marketing", "recording", ...customer.consents.map((each) => each.purpose)])];
  const options = (group: string, ids: string[]) =>
    ids.map((id) => ({ id, text: t(`${group}.${id}`, { defaultValue: id }) }));
  return (
    <Confirm
      title={t("privacy.writeConsent")}
      act={t("privacy.write")}
      asks={{ label: t("privacy.notice"), hint: t("privacy.noticeHint") }}
      changes={["customer", "consents"]}
      deed={(notice) =>
        unwrap(
          api.POST("/api/v1/customers/{customer_id}/consents", {
            params: { path: { customer_id: customer.id } },
            body: { purpose, state, channel, notice, notice_version: "", at: new Date(serverNow()).toISOString() },
          }),
        )
      }
      onDone={onClose}
      onClose={onClose}
    >
      <Select
        label={t("privacy.purpose")}
        options={options("purpose", purposes)}
        value={purpose}
        onChange={setPurpose}
      />
      <Select
        label={t("privacy.said")}
        options={options("consent", STATES)}
        value={state}
        onChange={(id) => setState(STATES.find((each) => each === id) ?? state)}
      />
      <Select label={t("privacy.by")} options={options("channel", CHANNELS)} value={channel} onChange={setChannel} />
    </Confirm>
  );
}
