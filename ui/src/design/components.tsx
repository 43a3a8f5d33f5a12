import { Check, ChevronDown } from "lucide-react";
import { type ReactElement, type ReactNode, useEffect, useState } from "react";
import {
  Button as AriaButton,
  type ButtonProps as AriaButtonProps,
  Dialog as AriaDialog,
  Select as AriaSelect,
  TextArea as AriaTextArea,
  Tooltip as AriaTooltip,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Modal,
  ModalOverlay,
  Popover,
  SelectValue,
  TextField,
  TooltipTrigger,
} from "react-aria-components";
import { useTranslation } from "react-i18next";
import { serverNow } from "../api/clock";
import { duration } from "../i18n/format";

type Look = "primary" | "quiet" | "danger" | "";

interface ButtonProps extends Omit<AriaButtonProps, "className" | "children"> {
  look?: Look;
  on?: boolean;
  large?: boolean;
  wide?: boolean;
  icon?: ReactNode;
  /** Shown, with the name of an icon button, when the pointer rests or the focus comes. */
  tip?: string;
  shortcut?: string;
  children?: ReactNode;
}

export function Button({
  look = "",
  on,
  large,
  wide,
  icon,
  tip,
  shortcut,
  children,
  ...rest
}: ButtonProps): ReactElement {
  const classes = [
    "button",
    look,
    on ? "on" : "",
    large ? "large" : "",
    wide ? "wide" : "",
    children ? "" : "icon",
  ].filter(Boolean);
  const button = (
    <AriaButton
      {...rest}
      className={classes.join(" ")}
      aria-label={rest["aria-label"] ?? (children ? undefined : tip)}
      aria-pressed={on === undefined ? undefined : on}
      aria-keyshortcuts={shortcut}
    >
      {icon}
      {children}
    </AriaButton>
  );
  if (!tip && !shortcut) return button;
  return (
    <TooltipTrigger delay={400} closeDelay={0}>
      {button}
      <AriaTooltip className="tooltip" offset={6}>
        {tip ?? children}
        {shortcut && <kbd>{shortcut}</kbd>}
      </AriaTooltip>
    </TooltipTrigger>
  );
}

interface FieldProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: string;
  placeholder?: string;
  hint?: ReactNode;
  wrong?: boolean;
  area?: boolean;
  autoFocus?: boolean;
  autoComplete?: string;
  inputMode?: "tel" | "text";
  hideLabel?: boolean;
  name?: string;
  maxLength?: number;
}

export function Field(props: FieldProps): ReactElement {
  return (
    <TextField
      className="field"
      value={props.value}
      onChange={props.onChange}
      type={props.type ?? "text"}
      autoFocus={props.autoFocus ?? false}
      autoComplete={props.autoComplete ?? "off"}
      isInvalid={props.wrong ?? false}
      validationBehavior="aria" // a browser would not send the form again
      name={props.name ?? ""}
      maxLength={props.maxLength}
    >
      <Label className={props.hideLabel ? "unseen" : "label"}>{props.label}</Label>
      {props.area ? (
        <AriaTextArea className="area" placeholder={props.placeholder ?? ""} />
      ) : (
        <Input className="input" placeholder={props.placeholder ?? ""} inputMode={props.inputMode ?? "text"} />
      )}
      {props.hint && <span className={props.wrong ? "hint wrong" : "hint"}>{props.hint}</span>}
    </TextField>
  );
}

export interface Option {
  id: string;
  text: string;
  detail?: ReactNode;
  disabled?: boolean;
}

interface SelectProps {
  label: string;
  options: Option[];
  value: string;
  onChange: (id: string) => void;
  placeholder?: string;
  hideLabel?: boolean;
}

export function Select({ label, options, value, onChange, placeholder, hideLabel }: SelectProps): ReactElement {
  const known = options.some((option) => option.id === value);
  return (
    <AriaSelect
      className="field"
      selectedKey={known ? value : null}
      onSelectionChange={(key) => onChange(String(key))}
      placeholder={placeholder ?? " "}
    >
      <Label className={hideLabel ? "unseen" : "label"}>{label}</Label>
      <AriaButton className="choice">
        <SelectValue className="ellipsis" />
        <ChevronDown aria-hidden="true" />
      </AriaButton>
      <Popover className="popover" offset={4}>
        <ListBox items={options} disabledKeys={options.filter((option) => option.disabled).map((option) => option.id)}>
          {(option) => (
            <ListBoxItem id={option.id} textValue={option.text} className="option">
              {({ isSelected }) => (
                <>
                  <span>{option.text}</span>
                  <span className="row soft small">
                    {option.detail}
                    {isSelected && <Check size={14} aria-hidden="true" />}
                  </span>
                </>
              )}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

interface DialogProps {
  title: string;
  onClose: () => void;
  /** Whether a click beside it leaves it open, since something is typed in it. */
  stays?: boolean;
  children: ReactNode;
}

export function Dialog(props: DialogProps): ReactElement {
  return (
    <ModalOverlay
      className="veil"
      isOpen
      isDismissable={!props.stays}
      onOpenChange={(open) => !open && props.onClose()}
    >
      <Modal>
        <AriaDialog className="dialog" aria-label={props.title}>
          <h2>{props.title}</h2>
          {props.children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

export function Badge({
  kind,
  icon,
  children,
}: {
  kind?: string;
  icon?: ReactNode;
  children: ReactNode;
}): ReactElement {
  return (
    <span className={`badge ${kind ?? ""}`}>
      {icon}
      {children}
    </span>
  );
}

/** The state of an agent or a call: by word, dot and colour. */
export function StateBadge({ state }: { state: string }): ReactElement {
  const { t } = useTranslation();
  const mark = { ready: "●", ringing: "◉", talking: "▶", held: "❚❚", after_call_work: "✎" }[state] ?? "○";
  return (
    <Badge kind={state} icon={<span aria-hidden="true">{mark}</span>}>
      {t(`state.${state}`, { defaultValue: state })}
    </Badge>
  );
}

/** Seconds since (or until) an instant of the server's. */
export function Timer({ since, until }: { since?: string | null; until?: string | null }): ReactElement {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, []);
  const now = serverNow();
  const seconds = until ? (Date.parse(until) - now) / 1000 : since ? (now - Date.parse(since)) / 1000 : 0;
  return (
    <span className="tabular" role="timer" /* whose seconds are not read aloud */>
      {duration(Math.max(0, seconds))}
    </span>
  );
}

/** A part that scrolls sideways where the page is narrow; the keyboard scrolls it too. */
export function Scroll({ label, children }: { label: string; children: ReactNode }): ReactElement {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is to be reached by the keyboard
    // biome-ignore lint/a11y/useSemanticElements: a section would stand in the outline of the page
    <div className="scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
