package main

import "strings"

// Split cuts a script into statements at semicolons that stand in no quotes, no comment and no here document ($tag$...$tag$).
// Statements of nothing but blanks and comments are left out; comments inside a statement are kept.
func Split(script string) []string {
	var statements []string
	start, words := 0, false
	finish := func(end int) {
		if words {
			statements = append(statements, strings.TrimSpace(script[start:end]))
		}
		start, words = end+1, false
	}
	for at := 0; at < len(script); {
		if end := commentEnd(script, at); end > at {
			at = end
			continue
		}
		if end := quoteEnd(script, at); end > at {
			at, words = end, true
			continue
		}
		switch script[at] {
		case ';':
			finish(at)
		case ' ', '\t', '\r', '\n', '\f', '\v':
		default:
			words = true
		}
		at++
	}
	finish(len(script))
	return statements
}

// commentEnd is the place after the comment that begins at `at`, or `at` where none does.
func commentEnd(script string, at int) int {
	rest := script[at:]
	switch {
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "# "), strings.HasPrefix(rest, "#!"):
		return after(script, at, "\n")
	case strings.HasPrefix(rest, "/*"):
		return after(script, at+2, "*/")
	}
	return at
}

// quoteEnd is the place after the quoted text or here document that begins at `at`, or `at` where none does.
func quoteEnd(script string, at int) int {
	switch quote := script[at]; quote {
	case '\'', '"', '`':
		for end := at + 1; end < len(script); end++ {
			switch script[end] {
			case '\\':
				end++
			case quote: // a doubled quote ends one text and begins the next, which comes to the same
				return end + 1
			}
		}
		return len(script)
	case '$':
		tag := heredocTag(script[at:])
		if tag != "" && strings.Contains(script[at+len(tag):], tag) {
			return after(script, at+len(tag), tag)
		}
	}
	return at
}

func heredocTag(text string) string {
	for at := 1; at < len(text); at++ {
		switch c := text[at]; {
		case c == '$':
			return text[:at+1]
		case c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z'):
			return ""
		}
	}
	return ""
}

func after(script string, at int, mark string) int {
	if found := strings.Index(script[at:], mark); found >= 0 {
		return at + found + len(mark)
	}
	return len(script)
}
