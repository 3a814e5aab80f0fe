package loadtest

// Passwords: logins by password at the plan's rate, to a few accounts in turn. A
// login on a connection replaces its user.
func (w *worker) passwordLogins(warmup, drain moment) {
	n := 0
	w.offer(opLogin, w.Rates.Passwords, Passwords, warmup, drain, func(*player) (*account, func([]byte) []byte) {
		n++
		a := &w.passwords[n%len(w.passwords)]
		return a, jsonData(a.login(w.Scope))
	})
}
