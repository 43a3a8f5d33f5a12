import { useQuery } from "@tanstack/react-query";
import { type ReactElement, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { api, type Customer, Problem, unwrap } from "../api/client";
import { Empty, Loading, Trouble } from "../design/telling";
import { go } from "../shell/path";
import { To } from "../shell/To";

/** A person, whole, by the id of any of their profiles. */
export function useCustomer(id: string, enabled = true) {
  return useQuery({
    enabled,
    queryKey: ["customer", id],
    queryFn: () => unwrap(api.GET("/api/v1/customers/{customer_id}", { params: { path: { customer_id: id } } })),
    retry: (count, error) => count < 2 && !(error instanceof Problem && error.status === 404),
  });
}

interface Props {
  id: string;
  children: (customer: Customer) => ReactElement;
}

/** A page about the person whom an address names. */
export function Whoever({ id, children }: Props): ReactElement {
  const { t } = useTranslation();
  const found = useCustomer(id);
  const customer = found.data;
  const title = customer ? customer.name || t("customers.noName") : t("nav.customers");

  useEffect(() => {
    document.title = `${title} · hotline`;
  }, [title]);
  useEffect(() => {
    // Of several profiles the oldest gives its name to the address.
    const { pathname, search } = window.location;
    if (customer && customer.id !== id) go(pathname.replace(id, customer.id) + search, true);
  }, [customer, id]);

  if (found.error instanceof Problem && found.error.status === 404) {
    return (
      <Empty>
        {t("customers.gone")} <To to="/customers">{t("customers.find")}</To>
      </Empty>
    );
  }
  return (
    <>
      {found.isPending && <Loading />}
      {found.isError && <Trouble error={found.error} again={() => void found.refetch()} />}
      {customer && children(customer)}
    </>
  );
}
