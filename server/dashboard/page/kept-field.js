// A control that shows a stored value and is edited, while the stored value may
// change elsewhere. An edit is never overwritten.

export class KeptField {
  #stored; // the control's value when what is stored was put into it

  constructor(control) {
    this.control = control;
    this.checkbox = control.type === "checkbox";
  }

  get value() { return this.checkbox ? this.control.checked : this.control.value; }

  set value(value) {
    if (this.checkbox) this.control.checked = value;
    else this.control.value = value;
  }

  get edited() { return this.#stored !== undefined && this.value !== this.#stored; }

  /** Shows what is stored, unless it is being edited. Returns whether that is in conflict with the edit. */
  offer(value) {
    if (!this.edited) {
      this.reset(value);
      return false;
    }
    return value !== this.#stored && value !== this.value;
  }

  /** Shows what is stored, whatever was edited. */
  reset(value) {
    if (this.value !== value) this.value = value;
    this.#stored = this.value; // as the control has it: some normalise line breaks
  }
}
