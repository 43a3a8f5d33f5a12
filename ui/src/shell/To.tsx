import type { ReactElement, ReactNode } from "react";
import { go } from "./path";

interface Props {
  to: string;
  current?: boolean;
  className?: string;
  children: ReactNode;
}

/** A link to another of our pages, gone to without loading anew; a new tab opens as ever. */
export function To({ to, current, className, children }: Props): ReactElement {
  return (
    <a
      href={to}
      className={className}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
