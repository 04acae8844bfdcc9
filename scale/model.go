package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pesan/internal/budget"
)

// What a host takes. Connecting and memory are what `make bench BENCH=fleet` measures on two cores of a server that do nothing
// else; a message is what its goal for messages leaves, 400 a second on two cores with DynamoDB and WhatsApp beside. A vCPU of
// Fargate's is taken for half such a core.
var measured = struct {
	connecting, message, mute float64 // seconds of a core
	device                    float64 // GB of a host by device, light ones, and
	account                   float64 // GB more for one with chats
	host                      float64 // GB of a host without devices
	core                      float64 // of Fargate's vCPU
	one                       float64 // messages a second of one device, one after the other
}{0.008, 0.004, 0.010, 0.00042, 0.00015, 0.05, 0.5, 60}

// What the model takes for granted.
const (
	peak        = 5.0   // the busiest hour, against the day's mean
	slowAnswer  = 8.0   // seconds that a command holds a function when WhatsApp is slow: all that a call waits
	delivering  = 0.150 // seconds that a webhook's endpoint takes
	fullMemory  = 0.65  // of a host, as MostHosts holds it
	fullCPU     = 0.5
	fullRest    = 0.7
	backWithin  = 60.0 // seconds until all devices are connected again after a deployment
	heartbeat   = 0.15 // KB of a host's
	perAddress  = 500  // devices behind one address; nobody but WhatsApp knows how many it bears
	perQueue    = 2400 // requests of a kind a second at a FIFO queue in most regions, Jakarta among them; 70,000 in us-east-1
	perGroup    = 300  // of an account
	tableWrites = 40_000
	newWrites   = 4_000 // of a table on its first day
	writes      = 1_000 // of a partition
	reads       = 3_000
	concurrent  = 1_000 // functions of an AWS account; new ones have 10
	vCPUs       = 6     // of an AWS account's tasks; ask for more
)

// load is what so many accounts do in the busiest hour, a second.
type load struct{ accounts, messages, reads, commands float64 }

func loadOf(accounts float64) load {
	second := accounts * peak / 86400
	return load{accounts, second * day.messages, second * (day.getChats + day.fetches), second * day.mutes}
}

// limit is how much there is of something, how much is wanted, and what moves it.
type limit struct {
	name, moves  string
	wanted, most float64
}

func (l limit) share() float64 { return l.wanted / l.most }

// shown is it in per cent; over all there is, bold.
func (l limit) shown() string {
	percent := 100 * l.share()
	switch {
	case percent >= 100:
		return fmt.Sprintf("**%.0f %%**", percent)
	case percent >= 1:
		return fmt.Sprintf("%.0f %%", percent)
	}
	return "< 1 %"
}

// atOnce bounds the function that sends events.
const defaultAtOnce = 20

// limits of a deployment under a load.
func (d deployment) limits(l load, atOnce float64) []limit {
	hosts := float64(d.hosts)
	cores := hosts * d.processor * measured.core
	look := hosts * 2 * math.Ceil(hosts*heartbeat/8) // half a unit for each 4 KB, twice a second and host
	functions := l.reads*chatsTook.Seconds() + l.commands*slowAnswer
	return []limit{
		{"hosts' memory", "`HostMemory`, `Hosts`, `MostHosts`",
			hosts*measured.host + l.accounts*(measured.device+measured.account), hosts * d.memory},
		{"hosts' CPU", "`HostCpu`, `Hosts`", l.messages*measured.message + l.commands*measured.mute, cores},
		{"a minute to connect all devices again", "`HostCpu`, `Hosts`", l.accounts * measured.connecting / cores, backWithin},
		{"devices behind one address", "`Hosts`; `proxy` of `editDevice`", l.accounts / hosts, perAddress},
		{"calls a second", "`CallsPerSecond`", l.reads + l.commands, d.calls},
		{"functions at once, with a slow WhatsApp", "Lambda's quota; `CommandsAtOnce` bounds commands", functions, concurrent},
		{"events sent at once, a webhook for each account", "`WebhooksAtOnce`", l.messages * delivering, atOnce},
		{"requests to the queue of events", "a queue of events for each host", l.messages, perQueue},
		{"requests to a queue of commands", "`Queues`", l.commands / float64(d.queues), perQueue},
		{"write units of a new table", "a day of growing use, or warm throughput", l.messages * budget.StoreMessage.Write,
			newWrites},
		{"write units of a table", "DynamoDB's quota", l.messages * budget.StoreMessage.Write, tableWrites},
		{"read units of the heartbeats' partition", "fewer hosts, each larger", look + l.commands*budget.Look.Read, reads},
		{"vCPUs of tasks", "Fargate's quota", hosts * d.processor, vCPUs},
	}
}

// single are the limits of one account, whatever the stack is.
func single() []limit {
	return []limit{
		{"messages, which one device takes one after the other", "none: the limit of an account", measured.one, measured.one},
		{"write units of its partition, at that many messages", "", measured.one * budget.StoreMessage.Write, writes},
		{"commands of its group, at half a second each", "batches: 40 changes a round trip", 2, perGroup},
	}
}

// sizes of hosts: vCPU and GB, as Fargate has them.
var hostSizes = [][2]float64{{0.25, 0.5}, {0.5, 1}, {1, 4}, {2, 8}, {4, 16}}

// fit finds the cheapest hosts for a load, two at least, and what else has to be set.
func (d deployment) fit(l load) (best deployment, atOnce float64) {
	atOnce = max(defaultAtOnce, math.Ceil(l.messages*delivering/fullRest/10)*10)
	for _, size := range hostSizes {
		one := d
		one.processor, one.memory = size[0], size[1]
		for one.hosts = 2; one.hosts <= 64; one.hosts++ {
			one.queues = max(4, one.hosts)
			all := one.limits(l, atOnce)
			if all[0].share() <= fullMemory && all[1].share() <= fullCPU && all[2].share() <= 1 {
				break
			}
		}
		if one.hosts <= 64 && (best.hosts == 0 || total(one.idle()) < total(best.idle())) {
			best = one
		}
	}
	best.calls = max(d.calls, math.Ceil((l.reads+l.commands)/fullRest/100)*100)
	return best, atOnce
}

// first are the limits in the order in which a stack of fixed parameters reaches them.
func first(limits []limit) []limit {
	all := slices.Clone(limits)
	slices.SortStableFunc(all, func(a, b limit) int { return -cmp.Compare(a.share(), b.share()) })
	return all
}
