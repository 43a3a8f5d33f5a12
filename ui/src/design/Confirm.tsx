import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactElement, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Button, Dialog, Field } from "./components";
import { Trouble } from "./telling";

interface Props<T> {
  title: string;
  /** What will happen, in whole sentences. */
  children: ReactNode;
  /** The word on the button that does it. */
  act: string;
  danger?: boolean;
  /** What has to be typed first. `fits` says whether it will do; without, anything but nothing will. */
  asks?: { label: string; hint?: string; first?: string; optional?: boolean; fits?: (typed: string) => boolean };
  deed: (typed: string) => Promise<T>;
  /** What may be another afterwards: first words of the keys of queries. They are fetched again if it failed, too. */
  changes: string[];
  onDone: (answer: T) => void;
  onClose: () => void;
}

/** Asks before something is done that others have to live with. It is done once, however often somebody clicks. */
export function Confirm<T>(props: Props<T>): ReactElement {
  const { asks, deed, changes } = props;
  const { t } = useTranslation();
  const client = useQueryClient();
  const [typed, setTyped] = useState(asks?.first ?? "");
  const underWay = useRef(false);
  const doing = useMutation({
    mutationFn: () => deed(typed.trim()),
    onSuccess: (answer) => props.onDone(answer),
    onSettled: () => {
      underWay.current = false;
      return Promise.all(changes.map((key) => client.invalidateQueries({ queryKey: [key] })));
    },
  });
  const fits = !asks || (asks.fits ? asks.fits(typed) : asks.optional || typed.trim() !== "");
  const act = (event: FormEvent): void => {
    event.preventDefault();
    if (underWay.current || !fits) return;
    underWay.current = true;
    doing.mutate();
  };
  const close = (): void => {
    if (!underWay.current) props.onClose();
  };
  return (
    <Dialog title={props.title} onClose={close} stays>
      <form className="stack wide" onSubmit={act}>
        <div className="stack">{props.children}</div>
        {asks && (
          <Field label={asks.label} hint={asks.hint} value={typed} onChange={setTyped} autoFocus maxLength={500} />
        )}
        {doing.isError && <Trouble error={doing.error} deed />}
        <div className="row">
          <Button
            type="submit"
            look={props.danger ? "danger" : "primary"}
            isDisabled={!fits}
            isPending={doing.isPending} // which keeps the focus, as being disabled would not
          >
            {doing.isPending ? t("confirm.underWay") : props.act}
          </Button>
          <Button look="quiet" onPress={close}>
            {t("hours.cancel")}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
