import Testing

@testable import Reports

struct ReadableTests {
    @Test(arguments: [
        (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KiB"), (1536, "1.5 KiB"), (512 << 20, "512 MiB"),
        (1_048_000, "1023 KiB"), (1_048_575, "1 MiB"), (1_567_000_000, "1.46 GiB"), (UInt64.max, "16 EiB"),
    ])
    func `bytes have three digits`(bytes: UInt64, text: String) {
        #expect(Readable.bytes(bytes) == text)
    }

    @Test(arguments: [
        (0, "0 ns"), (999, "999 ns"), (12_345, "12.3 µs"), (999_499_999, "999 ms"), (999_500_000, "1 s"),
        (59_940_000_000, "59.9 s"), (59_960_000_000, "1 min 00 s"), (245_000_000_000, "4 min 05 s"),
        (11_100_000_000_000, "3 h 05 min"), (183_600_000_000_000, "2 d 03 h"), (UInt64.max, "213503 d 23 h"),
    ])
    func `durations have the units of their length`(nanoseconds: UInt64, text: String) {
        #expect(Readable.duration(nanoseconds) == text)
    }

    @Test func `counts have commas, shares have percents`() {
        #expect([0, 999, 1000, 1_234_567].map(Readable.count) == ["0", "999", "1,000", "1,234,567"])
        #expect([0, 0.342, 1, 12.5, .infinity].map(Readable.percent) == ["0 %", "34.2 %", "100 %", "1250 %", "∞ %"])
        #expect(Readable.text(1500, .millicpus) == "1.5" && Readable.text(2048, .bytesPerSecond) == "2 KiB/s")
    }
}
