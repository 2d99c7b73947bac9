import Linux
import Testing

@testable import Containers

/// Automatic IDs: how ranges are divided, and who gets which part.
@Suite struct IDSlotTests {
    private func slots(_ ranges: IDRange...) -> IDSlots { IDSlots(uids: ranges, gids: ranges) }

    @Test(
        arguments: [
            (1 << 30, 65536, 16384), (65536, 4096, 16), (20_000, 1024, 19), (1024, 1024, 1), (7, 7, 1),
        ] as [(UInt32, UInt32, UInt32)])
    func `the fewer IDs there are, the smaller are the slots`(ids: UInt32, size: UInt32, count: UInt32) {
        let slots = slots(IDRange(first: 100_000, count: ids))
        #expect(slots[0] == IDSlot(uid: 100_000, gid: 100_000, size: size) && slots.count == count)
    }

    @Test func `slots of all ranges are used`() {
        let slots = slots(IDRange(first: 100_000, count: 1500), IDRange(first: 200_000, count: 2048))
        #expect(slots.count == 3 && slots[1].uid == 200_000 && slots[2].gid == 201_024)
    }

    @Test func `a slot that shares an ID with a taken one is not free`() {
        let slots = slots(IDRange(first: 100_000, count: 2048))
        #expect(slots.free(from: 1, besides: []) == slots[1])
        let across = IDSlot(uid: 101_500, gid: 900_000, size: 1024)
        #expect(slots.free(from: 1, besides: [across]) == slots[0])
        let groups = IDSlot(uid: 900_000, gid: 99_999, size: 2)
        #expect(slots.free(from: 1, besides: [across, groups]) == nil)
    }

    @Test(arguments: ["", "1-2", "1-2-x", "1-2-3-4", "4294967296-1-1"])
    func `what is no record of a slot is none`(text: String) {
        #expect(IDSlot(text: text) == nil && IDSlot(text: "1-2-3")?.text == "1-2-3")
    }
}
