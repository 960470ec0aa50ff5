package main

import (
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Faults are the lab's own settings, by which a test makes this back end misbehave:
//
//	LAB_CRASH=3              ends with exit code 3 at once, after the variables were judged
//	LAB_CRASH="3 after 10"   the same, 10 seconds after it began to serve
//	LAB_SLOW_START=20        opens its port only after 20 seconds
//	LAB_FAIL_READY=true      never opens its port (fails a TCP probe); "http" opens it, but /healthz answers 503
//	LAB_EAT_MEMORY=512       takes 512 MiB and touches every page of it
//	LAB_LOSE_DATABASE=30     after 30 seconds every question to a database fails
//	LAB_TELL="NAME OTHER"    logs the values of these variables, secrets among them
//	LAB_DRAIN=1              seconds that it goes on accepting after SIGTERM (default 1)
type Faults struct {
	crash        bool
	crashCode    int
	crashAfter   time.Duration
	slowStart    time.Duration
	failReady    string
	eatMiB       int
	loseDatabase time.Duration
	drain        time.Duration
	told         []string // lines for the log, by LAB_TELL
}

var crashForm = regexp.MustCompile(`^(\d{1,3})(?: after (\d+) ?s?)?$`)

// eaten keeps LAB_EAT_MEMORY's pages reachable.
var eaten []byte

// ReadFaults judges the LAB_ variables; none of them has to be set.
func ReadFaults(env func(string) (string, bool)) (Faults, error) {
	faults := Faults{drain: time.Second}
	var err error
	take := func(name string, unit time.Duration, into *time.Duration) {
		if value, set := env(name); set && err == nil {
			number, wrong := strconv.Atoi(value)
			if wrong != nil || number < 0 {
				err = fmt.Errorf("%s: is %q; a whole number is expected", name, value)
			}
			*into = time.Duration(number) * unit
		}
	}
	var mebibytes time.Duration
	take("LAB_SLOW_START", time.Second, &faults.slowStart)
	take("LAB_LOSE_DATABASE", time.Second, &faults.loseDatabase)
	take("LAB_DRAIN", time.Second, &faults.drain)
	take("LAB_EAT_MEMORY", 1, &mebibytes)
	faults.eatMiB = int(mebibytes)
	faults.failReady, _ = env("LAB_FAIL_READY")
	names, _ := env("LAB_TELL")
	for _, name := range strings.Fields(names) {
		value, _ := env(name)
		faults.told = append(faults.told, name+" is "+value)
	}
	if value, set := env("LAB_CRASH"); set {
		parts := crashForm.FindStringSubmatch(value)
		if parts == nil {
			return faults, fmt.Errorf("LAB_CRASH: is %q; \"3\" or \"3 after 10\" is expected", value)
		}
		seconds, _ := strconv.Atoi(parts[2])
		faults.crash, faults.crashAfter = true, time.Duration(seconds)*time.Second
		faults.crashCode, _ = strconv.Atoi(parts[1])
	}
	return faults, err
}

// Begin starts what misbehaves by the clock.
func (f Faults) Begin(stores *Stores) {
	for _, line := range f.told {
		log.Print("LAB_TELL: ", line)
	}
	if f.crash {
		time.AfterFunc(f.crashAfter, func() {
			log.Printf("LAB_CRASH: ending with exit code %d, as asked", f.crashCode)
			os.Exit(f.crashCode)
		})
	}
	if f.loseDatabase > 0 {
		time.AfterFunc(f.loseDatabase, func() {
			log.Print("LAB_LOSE_DATABASE: the databases are lost, as asked")
			stores.lost.Store(true)
		})
	}
	if f.eatMiB > 0 {
		log.Printf("LAB_EAT_MEMORY: taking %d MiB, as asked", f.eatMiB)
		eaten = make([]byte, f.eatMiB<<20)
		for at := 0; at < len(eaten); at += os.Getpagesize() {
			eaten[at] = 1
		}
	}
}
