import Containers
import Linux
import Networks

/// What flags say of the first network, and which network it is where none says so.
extension RunCommandLine {
    static func setNetwork(_ flags: inout RunFlags, _ verb: Verb) throws(Failure) {
        if flags.config.network == .standard, let usual = flags.surroundings.environment("APUS_NETWORK"), !usual.isEmpty
        {
            do throws(Failure) {
                try addNetwork(usual, to: &flags.config.network)
            } catch {
                throw error.naming("APUS_NETWORK")
            }
        }
        let asked = flags.attachment
        guard asked != NetworkAttachment(network: "") else { return }
        var attachments = flags.config.network.attachments
        if flags.config.network == .standard { attachments = [NetworkAttachment(network: Network.standardName)] }
        guard !attachments.isEmpty else {
            throw conflict(
                verb, "--ip, --ip6, --mac-address, --network-alias and --link-local-ip",
                "need a network with a bridge, as --network names it")
        }
        attachments[0].ipv4 = asked.ipv4 ?? attachments[0].ipv4
        attachments[0].ipv6 = asked.ipv6 ?? attachments[0].ipv6
        attachments[0].hardwareAddress = asked.hardwareAddress ?? attachments[0].hardwareAddress
        attachments[0].aliases += asked.aliases
        attachments[0].linkLocal += asked.linkLocal
        flags.config.network = .networks(attachments)
    }
}
