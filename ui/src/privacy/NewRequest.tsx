import { type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, type PrivacyRequest, unwrap } from "../api/client";
import { Confirm } from "../design/Confirm";
import { Field, Select } from "../design/components";
import { instant } from "../i18n/format";

const KINDS: PrivacyRequest["kind"][] = ["export", "erase", "correct", "object"];

interface Props {
  /** Whose request it is; nobody's whom we know otherwise. */
  customer?: Customer;
  onClose: () => void;
}

/** Somebody asks for something by law: written down, with its deadlines. */
export function NewRequest({ customer, onClose }: Props): ReactElement {
  const { t } = useTranslation();
  const [kind, setKind] = useState<PrivacyRequest["kind"]>("export");
  const [received, setReceived] = useState("");
  return (
    <Confirm
      title={t("privacy.writeRequest")}
      act={t("privacy.write")}
      asks={{ label: t("privacy.note"), hint: customer ? undefined : t("privacy.noteUnknown"), optional: true }}
      changes={["requests"]}
      deed={(note) => {
        const body = { kind, customer: customer?.id ?? null, note };
        const since = instant(received);
        return unwrap(api.POST("/api/v1/privacy/requests", { body: since ? { ...body, received_at: since } : body }));
      }}
      onDone={onClose}
      onClose={onClose}
    >
      <p>{t("privacy.requestMeans")}</p>
      <Select
        label={t("privacy.kind")}
        options={KINDS.map((id) => ({ id, text: t(`request.${id}`) }))}
        value={kind}
        onChange={(id) => setKind(KINDS.find((each) => each === id) ?? kind)}
      />
      <Field
        label={t("privacy.received")}
        hint={t("privacy.receivedHint")}
        type="date"
        value={received}
        onChange={setReceived}
      />
    </Confirm>
  );
}
