import { lazy, type ReactElement, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../design/telling";
import { Boundary } from "../shell/Boundary";
import type { Here } from "../shell/Shell";

const Tasks = lazy(() => import("../tasks/Tasks"));
const Customers = lazy(() => import("../customers/Customers"));

/** Which page of an agent an address is. */
export function hereOf(path: string): Here {
  const area = path.split("/")[1];
  return area === "customers" || area === "tasks" || area === "supervise" ? area : "desk";
}

/** What an agent looks at beside the phone, which stays; nor does a mistake in a page take the phone away. */
export function Beside({ here }: { here: Here }): ReactElement {
  const { t } = useTranslation();
  return (
    <div className="column">
      <Boundary key={here}>
        <Suspense fallback={null}>
          {here === "customers" && <Customers />}
          {here === "tasks" && <Tasks />}
          {here === "supervise" && <Empty>{t("supervise.you")}</Empty>}
        </Suspense>
      </Boundary>
    </div>
  );
}
