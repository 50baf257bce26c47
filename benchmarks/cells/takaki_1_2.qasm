// After Y. Takaki et al., PRA 103, 052414: one io and two hidden qubits, twice RX RZ RX on each
// qubit and a fixed transverse-field Ising evolution over all pairs.
include "stdgates.inc";
gate rzz(p0) q_0, q_1 {
  cx q_0, q_1;
  rz(p0) q_1;
  cx q_0, q_1;
}
@qrnn.weight
input float[64] w0;
@qrnn.weight
input float[64] w1;
@qrnn.weight
input float[64] w2;
@qrnn.weight
input float[64] w3;
@qrnn.weight
input float[64] w4;
@qrnn.weight
input float[64] w5;
@qrnn.weight
input float[64] w6;
@qrnn.weight
input float[64] w7;
@qrnn.weight
input float[64] w8;
@qrnn.weight
input float[64] w9;
@qrnn.weight
input float[64] w10;
@qrnn.weight
input float[64] w11;
@qrnn.weight
input float[64] w12;
@qrnn.weight
input float[64] w13;
@qrnn.weight
input float[64] w14;
@qrnn.weight
input float[64] w15;
@qrnn.weight
input float[64] w16;
@qrnn.weight
input float[64] w17;
@qrnn.feature
input float[64] feature;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(feature) io[0];
rx(w0) io[0];
rz(w1) io[0];
rx(w2) io[0];
rx(w3) hidden[0];
rz(w4) hidden[0];
rx(w5) hidden[0];
rx(w6) hidden[1];
rz(w7) hidden[1];
rx(w8) hidden[1];
rzz(0.7) io[0], hidden[0];
rzz(0.7) hidden[0], hidden[1];
rzz(0.7) io[0], hidden[1];
rx(0.4) io[0];
rx(0.4) hidden[0];
rx(0.4) hidden[1];
rx(w9) io[0];
rz(w10) io[0];
rx(w11) io[0];
rx(w12) hidden[0];
rz(w13) hidden[0];
rx(w14) hidden[0];
rx(w15) hidden[1];
rz(w16) hidden[1];
rx(w17) hidden[1];
rzz(0.7) io[0], hidden[0];
rzz(0.7) hidden[0], hidden[1];
rzz(0.7) io[0], hidden[1];
rx(0.4) io[0];
rx(0.4) hidden[0];
rx(0.4) hidden[1];
readout[0] = measure io[0];
reset io[0];
