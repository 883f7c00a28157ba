package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ours marks the routes that we made (rtnetlink's protocol number), so that no others are touched.
const ours netlink.RouteProtocol = 75

// setRoutes makes the routes to other nodes' pods exactly the wanted ones.
func setRoutes(wanted map[netip.Prefix]netip.Addr) error {
	present, err := netlink.RouteListFiltered(
		netlink.FAMILY_V4, &netlink.Route{Protocol: ours}, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("routes cannot be listed: %w", err)
	}
	problems := []error{}
	for _, route := range present {
		prefix, ok := destination(route)
		if gateway, kept := wanted[prefix]; ok && kept {
			if route.Gw.Equal(gateway.AsSlice()) {
				delete(wanted, prefix)
			}
			continue // another gateway replaces this one below
		}
		if err := netlink.RouteDel(&route); err != nil && !errors.Is(err, unix.ESRCH) {
			problems = append(problems, fmt.Errorf("route %s cannot be removed: %w", route.Dst, err))
			continue
		}
		log.Printf("no route to %s any more", route.Dst)
	}
	for prefix, gateway := range wanted {
		route := netlink.Route{
			Dst:      &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), 32)},
			Gw:       gateway.AsSlice(),
			Protocol: ours,
		}
		if err := netlink.RouteReplace(&route); err != nil {
			problems = append(problems, fmt.Errorf("no route to %s by %s: %w", prefix, gateway, err))
			continue
		}
		log.Printf("route to %s by %s", prefix, gateway)
	}
	return errors.Join(problems...)
}

func destination(route netlink.Route) (netip.Prefix, bool) {
	if route.Dst == nil {
		return netip.Prefix{}, false
	}
	address, ok := netip.AddrFromSlice(route.Dst.IP.To4())
	bits, _ := route.Dst.Mask.Size()
	return netip.PrefixFrom(address, bits), ok
}

// uplinkMTU gives the MTU of the interface that the default route leaves by; Ethernet's where a
// network without one isolates the node.
func uplinkMTU() (int, error) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, fmt.Errorf("routes cannot be listed: %w", err)
	}
	for _, route := range routes {
		if prefix, ok := destination(route); ok && prefix.Bits() != 0 {
			continue
		}
		link, err := netlink.LinkByIndex(route.LinkIndex)
		if err != nil {
			return 0, err
		}
		return link.Attrs().MTU, nil
	}
	return 1500, nil
}
