import { useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, unwrap } from "../api/client";
import { Button, Field } from "../design/components";
import { Trouble } from "../design/telling";
import { To } from "../shell/To";
import { identityText } from "./identity";

/** Somebody of whom nothing gave a hint: found like any customer, to be looked at beside this one. */
export function SomebodyElse({ customer }: { customer: Customer }): ReactElement {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  const [wanted, setWanted] = useState("");
  const found = useQuery({
    queryKey: ["customers", "beside", wanted],
    queryFn: () => unwrap(api.GET("/api/v1/customers", { params: { query: { any: wanted, limit: 10 } } })),
    enabled: wanted !== "",
  });
  const others = (found.data?.items ?? []).filter((each) => each.id !== customer.id);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setWanted(typed.trim());
  };
  return (
    <section className="stack" aria-label={t("same.else")}>
      <search>
        <form className="row" style={{ alignItems: "end" }} onSubmit={submit}>
          <div className="grow">
            <Field label={t("same.else")} value={typed} onChange={setTyped} />
          </div>
          <Button type="submit" isDisabled={!typed.trim()}>
            {t("supervise.search")}
          </Button>
        </form>
      </search>
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {found.isSuccess && others.length === 0 && (
        <p className="small soft">{t("customers.nobody", { text: wanted })}</p>
      )}
      <ul className="marks">
        {others.map((each) => (
          <li key={each.id}>
            <To to={`/customers/${customer.id}/same?with=${each.id}`}>{each.name || t("customers.noName")}</To>
            <span className="small soft">{each.identities.map((one) => identityText(one, t)).join(" · ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
