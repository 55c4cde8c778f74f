//! A decoder of zlib (RFC 1950, RFC 1951), so that what the server compresses is read by somebody else's eyes.
//!
//! The surprise: codes are looked up one bit at a time, by counting how many codes of each length there are. It is slow
//! and short.

/// The bytes of a status list's `lst`: base64url, zlib.
pub(super) fn bytes(zlib: &[u8]) -> Vec<u8> {
    let head = usize::from(zlib[0]) * 256 + usize::from(zlib[1]);
    assert_eq!(
        (zlib[0] & 15, head % 31, zlib[1] & 32),
        (8, 0, 0),
        "deflate, without a dictionary"
    );
    let (deflate, sum) = zlib[2..].split_at(zlib.len() - 6);
    let bytes = Reader { data: deflate, at: 0 }.inflate();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in &bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    assert_eq!(sum, (b << 16 | a).to_be_bytes(), "the checksum");
    bytes
}

struct Reader<'d> {
    data: &'d [u8],
    /// In bits.
    at: usize,
}

/// A Huffman code: how many codes there are of each length, and what they stand for, in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for length in lengths {
            counts[*length] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        Self { counts, symbols }
    }
}

/// The shortest length or distance of each symbol from this one on, and how many bits follow.
fn ladder(least: usize, steps: &[usize]) -> Vec<(usize, usize)> {
    let start = |(next, all): (usize, Vec<_>), bits: &usize| (next + (1 << bits), [all, vec![(next, *bits)]].concat());
    steps.iter().fold((least, Vec::new()), start).1
}

impl Reader<'_> {
    fn bits(&mut self, count: usize) -> usize {
        (0..count).fold(0, |value, place| value | self.bit() << place)
    }

    fn bit(&mut self) -> usize {
        let bit = self.data[self.at / 8] >> (self.at % 8) & 1;
        self.at += 1;
        usize::from(bit)
    }

    fn symbol(&mut self, code: &Code) -> usize {
        let (mut value, mut first, mut before) = (0, 0, 0);
        for count in &code.counts[1..] {
            value |= self.bit();
            if value < first + count {
                return code.symbols[before + value - first];
            }
            before += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        panic!("no such code");
    }

    fn inflate(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let last = self.bit() == 1;
            match self.bits(2) {
                0 => {
                    let start = self.at.div_ceil(8) + 4;
                    let length = usize::from(self.data[start - 4]) | usize::from(self.data[start - 3]) << 8;
                    out.extend_from_slice(&self.data[start..start + length]);
                    self.at = (start + length) * 8;
                }
                1 => {
                    let lengths = [vec![8; 144], vec![9; 112], vec![7; 24], vec![8; 8]].concat();
                    self.block(&mut out, &Code::new(&lengths), &Code::new(&[5; 30]));
                }
                2 => {
                    let (literals, distances) = self.codes();
                    self.block(&mut out, &literals, &distances);
                }
                _ => panic!("no such block"),
            }
            if last {
                return out;
            }
        }
    }

    fn codes(&mut self) -> (Code, Code) {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let (literals, distances, of_lengths) = (self.bits(5) + 257, self.bits(5) + 1, self.bits(4) + 4);
        let mut lengths = [0; 19];
        for symbol in &ORDER[..of_lengths] {
            lengths[*symbol] = self.bits(3);
        }
        let code = Code::new(&lengths);
        let mut lengths = Vec::new();
        while lengths.len() < literals + distances {
            let (length, times) = match self.symbol(&code) {
                16 => (lengths[lengths.len() - 1], self.bits(2) + 3),
                17 => (0, self.bits(3) + 3),
                18 => (0, self.bits(7) + 11),
                length => (length, 1),
            };
            lengths.extend(vec![length; times]);
        }
        (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
    }

    fn block(&mut self, out: &mut Vec<u8>, literals: &Code, distances: &Code) {
        let steps = |each: usize, last: usize| (0..=last).flat_map(move |bits| vec![bits; each]);
        let lengths: Vec<usize> = [0; 4].into_iter().chain(steps(4, 5)).collect();
        let far: Vec<usize> = [0; 2].into_iter().chain(steps(2, 13)).collect();
        let (lengths, far) = (ladder(3, &lengths), ladder(1, &far));
        loop {
            match self.symbol(literals) {
                byte @ 0..=255 => out.push(u8::try_from(byte).unwrap()),
                256 => return,
                symbol => {
                    let (least, bits) = if symbol == 285 { (258, 0) } else { lengths[symbol - 257] };
                    let length = least + self.bits(bits);
                    let (least, bits) = far[self.symbol(distances)];
                    let distance = least + self.bits(bits);
                    (0..length).for_each(|_| out.push(out[out.len() - distance]));
                }
            }
        }
    }
}
