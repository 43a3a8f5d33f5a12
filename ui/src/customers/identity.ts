import type { TFunction } from "i18next";
import { phoneNumber } from "../i18n/format";

/** An identity as people say it: a number or an address says by itself what it is. */
export function identityText(identity: { kind: string; value: string }, t: TFunction): string {
  if (identity.kind === "phone") return phoneNumber(identity.value);
  if (identity.kind === "email") return identity.value;
  return `${t(`identity.${identity.kind}`, { defaultValue: identity.kind })} ${identity.value}`;
}
