// takaki
OPENQASM 3.0;
include "stdgates.inc";
gate rzz(p0) q_0, q_1 {
  cx q_0, q_1;
  rz(p0) q_1;
  cx q_0, q_1;
}
@qrnn.weight
input float[64] theta_0;
@qrnn.weight
input float[64] theta_1;
@qrnn.weight
input float[64] theta_2;
@qrnn.weight
input float[64] theta_3;
@qrnn.weight
input float[64] theta_4;
@qrnn.weight
input float[64] theta_5;
@qrnn.weight
input float[64] theta_6;
@qrnn.weight
input float[64] theta_7;
@qrnn.weight
input float[64] theta_8;
@qrnn.weight
input float[64] theta_9;
@qrnn.weight
input float[64] theta_10;
@qrnn.weight
input float[64] theta_11;
@qrnn.weight
input float[64] theta_12;
@qrnn.weight
input float[64] theta_13;
@qrnn.weight
input float[64] theta_14;
@qrnn.weight
input float[64] theta_15;
@qrnn.weight
input float[64] theta_16;
@qrnn.weight
input float[64] theta_17;
@qrnn.weight
input float[64] theta_18;
@qrnn.weight
input float[64] theta_19;
@qrnn.weight
input float[64] theta_20;
@qrnn.weight
input float[64] theta_21;
@qrnn.weight
input float[64] theta_22;
@qrnn.weight
input float[64] theta_23;
@qrnn.weight
input float[64] theta_24;
@qrnn.weight
input float[64] theta_25;
@qrnn.weight
input float[64] theta_26;
@qrnn.weight
input float[64] theta_27;
@qrnn.weight
input float[64] theta_28;
@qrnn.weight
input float[64] theta_29;
@qrnn.weight
input float[64] theta_30;
@qrnn.weight
input float[64] theta_31;
@qrnn.weight
input float[64] theta_32;
@qrnn.weight
input float[64] theta_33;
@qrnn.weight
input float[64] theta_34;
@qrnn.weight
input float[64] theta_35;
@qrnn.weight
input float[64] theta_36;
@qrnn.weight
input float[64] theta_37;
@qrnn.weight
input float[64] theta_38;
@qrnn.weight
input float[64] theta_39;
@qrnn.weight
input float[64] theta_40;
@qrnn.weight
input float[64] theta_41;
@qrnn.weight
input float[64] theta_42;
@qrnn.weight
input float[64] theta_43;
@qrnn.weight
input float[64] theta_44;
@qrnn.weight
input float[64] theta_45;
@qrnn.weight
input float[64] theta_46;
@qrnn.weight
input float[64] theta_47;
@qrnn.weight
input float[64] theta_48;
@qrnn.weight
input float[64] theta_49;
@qrnn.weight
input float[64] theta_50;
@qrnn.weight
input float[64] theta_51;
@qrnn.weight
input float[64] theta_52;
@qrnn.weight
input float[64] theta_53;
@qrnn.feature arccos
input float[64] signal;
qubit[3] io;
qubit[3] hidden;
bit[3] readout;
ry(signal) io[0];
ry(signal) io[1];
ry(signal) io[2];
rx(theta_0) io[0];
rz(theta_1) io[0];
rx(theta_2) io[0];
rx(theta_3) io[1];
rz(theta_4) io[1];
rx(theta_5) io[1];
rx(theta_6) io[2];
rz(theta_7) io[2];
rx(theta_8) io[2];
rx(theta_9) hidden[0];
rz(theta_10) hidden[0];
rx(theta_11) hidden[0];
rx(theta_12) hidden[1];
rz(theta_13) hidden[1];
rx(theta_14) hidden[1];
rx(theta_15) hidden[2];
rz(theta_16) hidden[2];
rx(theta_17) hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
rzz(0.08530862061374389) io[0], io[1];
rzz(0.18359724878719874) io[0], io[2];
rzz(0.034899993172338294) io[0], hidden[0];
rzz(0.3480579390302146) io[0], hidden[1];
rzz(0.25268284329722573) io[0], hidden[2];
rzz(-0.3978091998638815) io[1], io[2];
rzz(0.2859234212700555) io[1], hidden[0];
rzz(-0.3731315397556285) io[1], hidden[1];
rzz(0.18372435714395527) io[1], hidden[2];
rzz(-0.2594755035179528) io[2], hidden[0];
rzz(0.29054313787990926) io[2], hidden[1];
rzz(0.03316897619927337) io[2], hidden[2];
rzz(-0.16023048757009217) hidden[0], hidden[1];
rzz(-0.061850223041873244) hidden[0], hidden[2];
rzz(-0.37734426308362967) hidden[1], hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
rx(theta_18) io[0];
rz(theta_19) io[0];
rx(theta_20) io[0];
rx(theta_21) io[1];
rz(theta_22) io[1];
rx(theta_23) io[1];
rx(theta_24) io[2];
rz(theta_25) io[2];
rx(theta_26) io[2];
rx(theta_27) hidden[0];
rz(theta_28) hidden[0];
rx(theta_29) hidden[0];
rx(theta_30) hidden[1];
rz(theta_31) hidden[1];
rx(theta_32) hidden[1];
rx(theta_33) hidden[2];
rz(theta_34) hidden[2];
rx(theta_35) hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
rzz(0.08530862061374389) io[0], io[1];
rzz(0.18359724878719874) io[0], io[2];
rzz(0.034899993172338294) io[0], hidden[0];
rzz(0.3480579390302146) io[0], hidden[1];
rzz(0.25268284329722573) io[0], hidden[2];
rzz(-0.3978091998638815) io[1], io[2];
rzz(0.2859234212700555) io[1], hidden[0];
rzz(-0.3731315397556285) io[1], hidden[1];
rzz(0.18372435714395527) io[1], hidden[2];
rzz(-0.2594755035179528) io[2], hidden[0];
rzz(0.29054313787990926) io[2], hidden[1];
rzz(0.03316897619927337) io[2], hidden[2];
rzz(-0.16023048757009217) hidden[0], hidden[1];
rzz(-0.061850223041873244) hidden[0], hidden[2];
rzz(-0.37734426308362967) hidden[1], hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
rx(theta_36) io[0];
rz(theta_37) io[0];
rx(theta_38) io[0];
rx(theta_39) io[1];
rz(theta_40) io[1];
rx(theta_41) io[1];
rx(theta_42) io[2];
rz(theta_43) io[2];
rx(theta_44) io[2];
rx(theta_45) hidden[0];
rz(theta_46) hidden[0];
rx(theta_47) hidden[0];
rx(theta_48) hidden[1];
rz(theta_49) hidden[1];
rx(theta_50) hidden[1];
rx(theta_51) hidden[2];
rz(theta_52) hidden[2];
rx(theta_53) hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
rzz(0.08530862061374389) io[0], io[1];
rzz(0.18359724878719874) io[0], io[2];
rzz(0.034899993172338294) io[0], hidden[0];
rzz(0.3480579390302146) io[0], hidden[1];
rzz(0.25268284329722573) io[0], hidden[2];
rzz(-0.3978091998638815) io[1], io[2];
rzz(0.2859234212700555) io[1], hidden[0];
rzz(-0.3731315397556285) io[1], hidden[1];
rzz(0.18372435714395527) io[1], hidden[2];
rzz(-0.2594755035179528) io[2], hidden[0];
rzz(0.29054313787990926) io[2], hidden[1];
rzz(0.03316897619927337) io[2], hidden[2];
rzz(-0.16023048757009217) hidden[0], hidden[1];
rzz(-0.061850223041873244) hidden[0], hidden[2];
rzz(-0.37734426308362967) hidden[1], hidden[2];
rx(0.054784674928581724) io[0];
rx(-0.09208531449445188) io[1];
rx(-0.18361059042552214) io[2];
rx(-0.19338894578858837) hidden[0];
rx(0.12530809568010898) hidden[1];
rx(0.1651022309110887) hidden[2];
readout[0] = measure io[0];
readout[1] = measure io[1];
readout[2] = measure io[2];
reset io[0];
reset io[1];
reset io[2];
